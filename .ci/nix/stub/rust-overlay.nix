# Stub of rust-overlay: reads the toolchain file as the real one does.
{
  overlays.default = _final: prev: {
    rust-bin.fromRustupToolchainFile =
      file:
      let
        inherit (builtins.fromTOML (builtins.readFile file)) toolchain;
      in
      {
        type = "derivation";
        name = "rust-${toolchain.channel}";
        outPath = "/nix/store/stub-rust-${toolchain.channel}";
        inherit (prev) system;
      };
  };
}
