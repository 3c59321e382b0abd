//! The program `swarm`.

fn main() -> std::process::ExitCode {
    libswarm_cli::run(std::env::args_os())
}
