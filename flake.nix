{
  description = "Holdfast: backup and restore of applications on Kubernetes";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";
    rust-overlay = {
      url = "github:oxalica/rust-overlay";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      rust-overlay,
    }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      eachSystem =
        make:
        nixpkgs.lib.genAttrs systems (
          system:
          make (
            import nixpkgs {
              inherit system;
              overlays = [ rust-overlay.overlays.default ];
            }
          )
        );

      # The toolchain that cargo itself would take: one file decides for everybody.
      toolchain = pkgs: pkgs.rust-bin.fromRustupToolchainFile ./rust-toolchain.toml;

      # The workspace built by that toolchain. What a check does instead of building is given by `changes`.
      workspace =
        pkgs: changes:
        (pkgs.makeRustPlatform {
          cargo = toolchain pkgs;
          rustc = toolchain pkgs;
        }).buildRustPackage
          (
            {
              pname = "holdfast";
              version = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).workspace.package.version;
              src = self;
              # Hashes of all crates are in the lock file: nothing is vendored here.
              cargoLock.lockFile = ./Cargo.lock;
              cargoBuildFlags = [
                "--package"
                "holdfast"
              ];
              # `checks` runs the tests; whoever wants the binary need not wait for them.
              doCheck = false;
              meta = {
                description = "Backup and restore of applications on Kubernetes";
                license = pkgs.lib.licenses.asl20;
                mainProgram = "holdfast";
              };
            }
            // changes
          );

      # The container image and its bill of materials, by the script that makes them everywhere else.
      image =
        pkgs:
        workspace pkgs {
          pname = "holdfast-image";
          nativeBuildInputs = [ pkgs.python3 ];
          # The C library, to be linked into the binary.
          buildInputs = [ pkgs.glibc.static ];
          buildPhase = ''
            python3 deploy/image/build --offline --out "$out" --target-dir "$NIX_BUILD_TOP/target" \
              --certificates ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt
          '';
          installPhase = "ls $out/*.oci.tar $out/*.cdx.json";
          # Nothing may change what the bill of materials has the hash of.
          dontFixup = true;
        };

      # A check is a command in the workspace that leaves nothing behind.
      check =
        pkgs: name: command:
        workspace pkgs {
          pname = "holdfast-${name}";
          buildPhase = command;
          installPhase = "touch $out";
        };
    in
    {
      packages = eachSystem (pkgs: {
        default = workspace pkgs { };
        image = image pkgs;
      });

      apps = eachSystem (pkgs: {
        default = {
          type = "app";
          program = "${self.packages.${pkgs.system}.default}/bin/holdfast";
        };
      });

      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            (toolchain pkgs)
            pkgs.cargo-deny
            pkgs.cargo-nextest
            pkgs.just
            pkgs.shellcheck
          ];
        };
      });

      checks = eachSystem (pkgs: {
        fmt = check pkgs "fmt" "cargo fmt --all --check";
        clippy = check pkgs "clippy" "cargo clippy --offline --workspace --all-targets -- -D warnings";
        test = check pkgs "test" "cargo test --offline";
        tidy = check pkgs "tidy" "cargo run --offline --package tidy";
      });

      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
