//! Runs one Rust block of the documentation, which the argument names.

/// How a block ends.
pub type Ended = Result<(), Box<dyn std::error::Error>>;

include!(concat!(env!("OUT_DIR"), "/blocks.rs"));

#[tokio::main]
async fn main() -> Ended {
    let name = std::env::args().nth(1).ok_or("usage: documented <block>")?;
    run(&name).await
}
