//! Writes the seeds of every target below a directory, each into the folder of its target.

mod made;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corpus =
        std::path::PathBuf::from(std::env::args_os().nth(1).ok_or("usage: seeds DIRECTORY")?);
    for (target, name, bytes) in made::seeds()? {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{}", name.replace(' ', "-"))), bytes)?;
    }
    Ok(())
}
