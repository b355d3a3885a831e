# Every output of flake.nix, evaluated against the stubs, and what disagrees between flake.nix and
# flake.lock. `.ci/nix/check` compares the result with `outputs.json`.
let
  flake = import ../../flake.nix;
  lock = builtins.fromJSON (builtins.readFile ../../flake.lock);
  outputs = flake.outputs {
    self = outputs // {
      outPath = toString ../..;
    };
    nixpkgs = {
      outPath = ./stub/nixpkgs;
      lib = import ./stub/nixpkgs/lib.nix;
    };
    rust-overlay = import ./stub/rust-overlay.nix;
  };

  # What is read of each output: deep enough that every argument is forced.
  show = output: if output.type == "app" then output.program else builtins.seq (force output) output.name;
  force = output: builtins.deepSeq (output.args or { }) output.outPath;
  shown = builtins.mapAttrs (_kind: builtins.mapAttrs (_system: all)) {
    inherit (outputs)
      packages
      apps
      devShells
      checks
      ;
  };
  all = builtins.mapAttrs (_name: show);

  # An input's address as flake.nix writes it, made from its node in the lock.
  address =
    node:
    let
      from = node.original;
    in
    "${from.type}:${from.owner}/${from.repo}" + (if from ? ref then "/${from.ref}" else "");
  locked = builtins.mapAttrs (_name: node: address lock.nodes.${node}) lock.nodes.${lock.root}.inputs;
  written = builtins.mapAttrs (_name: input: input.url) flake.inputs;
  pinned = builtins.all (name: lock.nodes.${name}.locked ? rev && lock.nodes.${name}.locked ? narHash) (
    builtins.attrNames written
  );
in
shown
// {
  formatter = builtins.mapAttrs (_system: show) outputs.formatter;
  shellTools = outputs.devShells.x86_64-linux.default.args.packages;
  lock =
    if lock.version != 7 then
      "version is not 7"
    else if locked != written then
      "inputs differ from flake.nix"
    else if !pinned then
      "an input is not pinned"
    else if lock.nodes.rust-overlay.inputs.nixpkgs != [ flake.inputs.rust-overlay.inputs.nixpkgs.follows ] then
      "rust-overlay does not follow nixpkgs"
    else
      "agrees";
}
