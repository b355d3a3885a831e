# Stub of nixpkgs.lib: only what flake.nix uses.
{
  genAttrs =
    names: make:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = make name;
      }) names
    );
  licenses.asl20 = "Apache-2.0";
}
