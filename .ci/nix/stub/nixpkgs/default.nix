# Stub of nixpkgs, so that flake.nix can be evaluated without the network. It stands in for the
# attributes that flake.nix uses and is strict about what it is given; that the real builders accept
# the same arguments, it cannot show.
{
  system,
  overlays,
}:
let
  derivation = name: args: {
    type = "derivation";
    inherit name system args;
    outPath = "/nix/store/stub-${name}";
  };
  base = {
    inherit system;
    lib = import ./lib.nix;
    makeRustPlatform =
      { cargo, rustc }:
      {
        buildRustPackage =
          {
            pname,
            version,
            src,
            cargoLock,
            ...
          }@args:
          assert builtins.pathExists cargoLock.lockFile;
          assert cargo.type == "derivation" && rustc.type == "derivation";
          derivation "${pname}-${version}" (removeAttrs args [ "src" ]);
      };
    mkShell = { packages }: derivation "shell" { packages = map (package: package.name) packages; };
    cargo-deny = derivation "cargo-deny" { };
    cargo-nextest = derivation "cargo-nextest" { };
    just = derivation "just" { };
    shellcheck = derivation "shellcheck" { };
    nixfmt-tree = derivation "nixfmt-tree" { };
    python3 = derivation "python3" { };
    cacert = derivation "cacert" { };
    glibc.static = derivation "glibc-static" { };
  };
  stubbed = builtins.foldl' (pkgs: overlay: pkgs // overlay stubbed pkgs) base overlays;
in
stubbed
