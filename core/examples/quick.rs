#![allow(missing_docs)]
use libswarm::*;
fn cpu() -> f64 {
    let mut u: libc_rusage = unsafe { std::mem::zeroed() };
    unsafe { getrusage(0, &mut u) };
    (u.a[0] + u.a[2]) as f64 * 1e6 + (u.a[1] + u.a[3]) as f64
}
#[repr(C)]
struct libc_rusage {
    a: [i64; 18],
}
unsafe extern "C" {
    fn getrusage(w: i32, u: *mut libc_rusage) -> i32;
}
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let mut o = Options::new("bench");
        o.set("url", &std::env::var("SWARM_REDIS_URL").unwrap()).unwrap();
        let payload = vec![b'x'; 115];
        if mode == "add" {
            let m = Master::start(o, &tokio::runtime::Handle::current()).unwrap();
            m.ready().await.unwrap();
            let c = cpu();
            let t = std::time::Instant::now();
            m.add_many((0..n).map(|_| NewJob::new(Payload::raw_json(payload.clone()))).collect()).await.unwrap();
            println!("producer {:.2} us/job, {:.0}/s", (cpu() - c) / n as f64, n as f64 / t.elapsed().as_secs_f64());
            m.close().await.unwrap();
        } else {
            o.set("slots", &std::env::args().nth(3).unwrap()).unwrap();
            let c = cpu();
            let t = std::time::Instant::now();
            let w = Worker::start(o, &tokio::runtime::Handle::current()).unwrap();
            let mut done = 0;
            let mut f = Vec::new();
            while done < n {
                match w.next().await {
                    Some(Event::Add(j)) => {
                        f.push((j.fence, Finish::Complete(Payload::default()), None));
                        done += 1;
                    }
                    _ => {}
                }
                for e in w.take_events(10000) {
                    if let Event::Add(j) = e {
                        f.push((j.fence, Finish::Complete(Payload::default()), None));
                        done += 1;
                    }
                }
                w.finish_many(std::mem::take(&mut f));
            }
            w.drain().await.unwrap();
            println!("worker {:.2} us/job, {:.0}/s", (cpu() - c) / n as f64, n as f64 / t.elapsed().as_secs_f64());
            w.terminate(std::time::Duration::ZERO).await.unwrap();
        }
    });
}
