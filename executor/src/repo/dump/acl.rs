//! Access lists as archives hold them: words that every `tar --acls` reads, and not the kernel's bytes.

/// Version of the kernel's form.
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 8;

/// `user::rw-,user:1000:r--,group::r--,mask::r--,other::---`; nothing where the bytes are no list.
pub(super) fn words(list: &[u8]) -> Option<String> {
    let (version, entries) = list.split_first_chunk::<HEADER_BYTES>()?;
    let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
    if u32::from_le_bytes(*version) != VERSION || !rest.is_empty() {
        return None;
    }
    let words: Option<Vec<String>> = entries.iter().map(|entry| word(*entry)).collect();
    Some(words?.join(","))
}

fn word([tag, tag_high, rights, _, id @ ..]: [u8; ENTRY_BYTES]) -> Option<String> {
    let id = u32::from_le_bytes(id);
    let whom = match u16::from_le_bytes([tag, tag_high]) {
        0x01 => "user:".to_owned(),
        0x02 => format!("user:{id}"),
        0x04 => "group:".to_owned(),
        0x08 => format!("group:{id}"),
        0x10 => "mask:".to_owned(),
        0x20 => "other:".to_owned(),
        _ => return None,
    };
    let right = |bit: u8, letter| if rights & bit == 0 { '-' } else { letter };
    Some(format!("{whom}:{}{}{}", right(4, 'r'), right(2, 'w'), right(1, 'x')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn k06_a_list_in_words_and_what_is_none() {
        let none = u32::MAX;
        let whole = list(&[
            (0x01, 6, none),
            (0x02, 4, 5001),
            (0x04, 0, none),
            (0x08, 5, 7),
            (0x10, 5, none),
            (0x20, 0, none),
        ]);
        let expected = "user::rw-,user:5001:r--,group::---,group:7:r-x,mask::r-x,other::---";
        assert_eq!(words(&whole).as_deref(), Some(expected));
        assert_eq!(words(&list(&[])).as_deref(), Some(""));
        assert_eq!(words(&whole[..whole.len() - 1]), None);
        assert_eq!(words(&list(&[(0x40, 1, 0)])), None);
        assert_eq!(words(&[]), None);
        assert_eq!(words(&[3, 0, 0, 0]), None);
    }
}
