#![allow(missing_docs)]

use libswarm::*;

pub async fn run() -> crate::Ended {
    let shutdown = std::future::pending();
    // BLOCK
    println!("{sum}");
    Ok(())
}
