//! Servers that speak TLS: which certificates are trusted, and what the errors state.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use libswarm::{Error, ErrorKind, Master, Options};
use support::{Redis, soon};
use tokio::runtime::Handle;

/// A folder in the tree, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(format!("target/tmp/tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A certificate that signs itself, and its key: `<name>.pem`, `<name>.key`.
    fn own(&self, name: &str, more: &[&str]) {
        let (key, cert) = (self.path(&format!("{name}.key")), self.path(&format!("{name}.pem")));
        openssl(
            &[&["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", &key, "-out", &cert][..], more]
                .concat(),
        );
    }

    fn server(&self, name: &str, more: &[&str]) -> (Redis, String) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let (key, cert) = (self.path(&format!("{name}.key")), self.path(&format!("{name}.pem")));
        let args = ["--tls-port", &port, "--tls-key-file", &key, "--tls-cert-file", &cert, "--tls-ca-cert-file", &cert];
        let clients = if more.is_empty() { &["--tls-auth-clients", "no"][..] } else { more };
        (Redis::with(&[&args[..], clients].concat()), port)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl(words: &[&str]) {
    let done = Command::new("openssl").args(words).output().expect("openssl is needed");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

async fn ready(port: &str, settings: &[(&str, &str)]) -> Result<(), Error> {
    let mut options = Options::new("tls");
    for (name, value) in [&[("host", "localhost"), ("port", port), ("timeout", "2000")][..], settings].concat() {
        options.set(name, value).unwrap();
    }
    let master = Master::start(options, &Handle::current()).unwrap();
    let answer = soon("ready", master.ready()).await;
    soon("close", master.close()).await.unwrap();
    answer
}

async fn refused(port: &str, settings: &[(&str, &str)], kind: ErrorKind, text: &str) {
    let error = ready(port, settings).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(text), "{error}");
}

#[tokio::test]
async fn a_certificate_that_signs_itself_can_be_trusted_by_itself() {
    let folder = Folder::new("own");
    for (name, more) in [
        ("plain", &["-subj", "/CN=localhost"][..]),
        ("names", &["-subj", "/CN=whatever", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]),
        ("leaf", &["-subj", "/CN=localhost", "-addext", "basicConstraints=critical,CA:FALSE"]),
        ("other", &["-subj", "/CN=localhost"]),
        ("elsewhere", &["-subj", "/CN=db.example"]),
        ("named-elsewhere", &["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:db.example"]),
    ] {
        folder.own(name, more);
    }
    for name in ["plain", "names", "leaf"] {
        let (_redis, port) = folder.server(name, &[]);
        let ca = folder.path(&format!("{name}.pem"));
        ready(&port, &[("tls_ca", &ca)]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        // Another of the same name is not it.
        refused(&port, &[("tls_ca", &folder.path("other.pem"))], ErrorKind::Tls, "tls_ca").await;
        refused(&port, &[("tls", "true")], ErrorKind::Tls, "tls_ca").await;
        let by_address = ready(&port, &[("tls_ca", &ca), ("host", "127.0.0.1")]).await;
        assert_eq!(
            by_address.map_err(|error| error.kind()),
            if name == "names" { Ok(()) } else { Err(ErrorKind::Tls) },
            "{name}"
        );
        ready(&port, &[("tls_verify", "false"), ("host", "127.0.0.1")]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // A name in the subject counts only where there are no others.
    for name in ["elsewhere", "named-elsewhere"] {
        let (_redis, port) = folder.server(name, &[]);
        refused(&port, &[("tls_ca", &folder.path(&format!("{name}.pem")))], ErrorKind::Tls, "connect by a name that it has")
            .await;
    }
}

#[tokio::test]
async fn a_certificate_whose_time_is_over_is_refused_although_it_is_in_the_file() {
    let folder = Folder::new("old");
    folder.own("new", &["-subj", "/CN=localhost"]);
    let (key, request, cert) = (folder.path("old.key"), folder.path("old.csr"), folder.path("old.pem"));
    std::fs::copy(folder.path("new.key"), &key).unwrap();
    openssl(&["req", "-new", "-key", &key, "-subj", "/CN=localhost", "-out", &request]);
    let (index, serial, config) = (folder.path("index"), folder.path("serial"), folder.path("ca.conf"));
    std::fs::write(&index, "").unwrap();
    std::fs::write(&serial, "01\n").unwrap();
    let dir = folder.0.display();
    let text = format!(
        "[ca]\ndefault_ca=own\n[own]\ndatabase={index}\nserial={serial}\nnew_certs_dir={dir}\npolicy=any\ndefault_md=sha256\nx509_extensions=ext\n[any]\ncommonName=supplied\n[ext]\nbasicConstraints=critical,CA:TRUE\n"
    );
    std::fs::write(&config, text).unwrap();
    let dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"];
    openssl(
        &[
            &["ca", "-batch", "-config", &config, "-selfsign", "-keyfile", &key, "-in", &request, "-out", &cert, "-notext"][..],
            &dates,
        ]
        .concat(),
    );
    let (_redis, port) = folder.server("old", &[]);
    refused(&port, &[("tls_ca", &cert)], ErrorKind::Tls, "not valid now").await;
    ready(&port, &[("tls_ca", &cert), ("tls_verify", "false")]).await.unwrap();
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_are_named() {
    let folder = Folder::new("files");
    folder.own("a", &["-subj", "/CN=localhost"]);
    folder.own("b", &["-subj", "/CN=localhost"]);
    let (cert, key) = (folder.path("a.pem"), folder.path("a.key"));
    let (text, der, locked) = (folder.path("text"), folder.path("der"), folder.path("locked"));
    std::fs::write(&text, "hello\n").unwrap();
    openssl(&["x509", "-in", &cert, "-outform", "der", "-out", &der]);
    openssl(&["pkey", "-in", &key, "-aes256", "-passout", "pass:x", "-out", &locked]);
    let (_redis, port) = folder.server("a", &["--tls-auth-clients", "yes"]);
    let named = |path: &str| format!("the file {path} (tls_ca)");
    refused(&port, &[("tls_ca", &text)], ErrorKind::Tls, &named(&text)).await;
    refused(&port, &[("tls_ca", &der)], ErrorKind::Tls, "-inform der").await;
    refused(&port, &[("tls_ca", "/nowhere.pem")], ErrorKind::Tls, &named("/nowhere.pem")).await;
    refused(&port, &[("tls_ca", &key)], ErrorKind::Tls, &named(&key)).await;
    let with = |key: &'static str| key;
    let login = [("tls_ca", cert.as_str()), ("tls_cert", cert.as_str())];
    refused(&port, &[&login[..], &[("tls_key", &locked)]].concat(), ErrorKind::Tls, "encrypted").await;
    refused(&port, &[&login[..], &[("tls_key", &text)]].concat(), ErrorKind::Tls, with("(tls_key)")).await;
    refused(&port, &[&login[..], &[("tls_key", &folder.path("b.key"))]].concat(), ErrorKind::Tls, "cannot be used together")
        .await;
    refused(&port, &login[..1], ErrorKind::Tls, "tls_cert and tls_key").await;
    ready(&port, &[&login[..], &[("tls_key", &key)]].concat()).await.unwrap();
}

#[tokio::test]
async fn one_side_speaks_tls_and_the_other_does_not() {
    let folder = Folder::new("sides");
    folder.own("a", &["-subj", "/CN=localhost"]);
    let (_redis, port) = folder.server("a", &[]);
    let error = ready(&port, &[]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Unavailable) && error.message().contains("set tls"), "{error}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let _plain = Redis::with(&["--port", &port]);
    let error = ready(&port, &[("tls", "true")]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Unavailable) && error.message().contains("TLS"), "{error}");
}
