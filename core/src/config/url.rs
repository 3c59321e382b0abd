//! Addresses written as URLs.

use libswarm_common::error::{Error, Result, invalid};
use libswarm_common::language::{Language, option};

use super::address::{Address, DEFAULT_HOST, DEFAULT_PORT, DEFAULT_SENTINEL_PORT, host_port, host_ports};
use super::options::Options;

/// The error for an invalid URL. It does not quote the URL, which may contain a password.
fn bad(why: &str) -> Error {
    invalid(format!(
        "{} is not usable: {why}. Forms: redis://user:password@host:port/db, rediss://… for TLS, unix:///path/to/socket?db=0, redis+sentinel://host:port,host:port/master/db, redis+cluster://host:port,host:port",
        option("url")
    ))
}

const ENCODE: &str = "In a user or password, `%`, `/`, `?`, `#`, `@` and `:` are written as %25, %2F, %3F, %23, %40 and %3A; or set {username} and {password} instead";

impl Options {
    /// `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/master/db` and `redis+cluster://h1,h2`; `rediss+…` for TLS.
    pub(crate) fn set_url(&mut self, text: &str) -> Result<()> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no scheme, such as redis://"))?;
        let (tls, kind) = match scheme {
            "unix" | "redis+unix" => return self.set_unix_url(rest),
            "redis" | "valkey" => (false, ""),
            "rediss" | "valkeys" => (true, ""),
            "redis+sentinel" => (false, "sentinel"),
            "rediss+sentinel" => (true, "sentinel"),
            "redis+cluster" => (false, "cluster"),
            "rediss+cluster" => (true, "cluster"),
            _ => return Err(bad("its scheme, before `://`, is unknown")),
        };
        let encode = || bad(&Language::current().text(ENCODE));
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) if is_login(login) => (login, rest),
            Some(_) => return Err(encode()),
            None => ("", rest),
        };
        if rest.contains(['?', '#']) {
            let what = "it has a `?` or `#`. Nothing is set by parameters of a URL: use the options of those names, such as {username} and {password}. ";
            return Err(bad(&Language::current().text(&format!("{what}{ENCODE}"))));
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = if hosts.is_empty() { DEFAULT_HOST } else { hosts };
        let mut path = path.split('/').filter(|part| !part.is_empty());
        let several = || {
            let default = if kind == "sentinel" { DEFAULT_SENTINEL_PORT } else { DEFAULT_PORT };
            host_ports("url", hosts, default).map_err(|_| encode_hosts())
        };
        let address = match kind {
            "sentinel" => {
                let master =
                    path.next().ok_or_else(|| bad("the name of the master is missing, after the Sentinels and a `/`"))?;
                Address::Sentinel { sentinels: several()?, master: percent_decoded(master)? }
            }
            "cluster" => Address::Cluster(several()?),
            _ => Address::Tcp(host_port(hosts, DEFAULT_PORT).ok_or_else(encode_hosts)?),
        };
        let db = match path.next() {
            Some(db) => Some(database(db)?),
            None => None,
        };
        if path.next().is_some() {
            return Err(bad("its path has too many parts"));
        }
        let login = self.login(login)?;
        self.address = address;
        self.db = db.unwrap_or(self.db);
        (self.username, self.password) = login;
        if tls {
            self.tls.get_or_insert_default();
        }
        Ok(())
    }

    /// `unix:///path/to/socket?db=0&user=…&pass=…`, or with the login before the path.
    fn set_unix_url(&mut self, rest: &str) -> Result<()> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, path) = match place.split_once('/') {
            Some((before, _)) if before.ends_with('@') => place.split_at(before.len()),
            _ => ("", place),
        };
        let mut db = self.db;
        let (mut username, mut password) = self.login(login.trim_end_matches('@'))?;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "db" => db = database(&value)?,
                "user" | "username" => username = Some(value.into_owned()),
                "pass" | "password" => password = Some(value.into_owned()),
                // It may be part of a password with a `&`.
                _ => {
                    return Err(bad(
                        "it has a parameter that is none of `db`, `user` and `pass`. In a password, `%`, `&`, `#` and `+` are written as %25, %26, %23 and %2B",
                    ));
                }
            }
        }
        if path.is_empty() || path.contains(['@', '#']) {
            return Err(bad("it has no path, or one with `@` or `#`"));
        }
        self.address = Address::Unix(path.into());
        self.db = db;
        (self.username, self.password) = (username, password);
        Ok(())
    }

    /// User and password of a URL, or those that were set as options.
    fn login(&self, login: &str) -> Result<(Option<String>, Option<String>)> {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let decoded = |part: &str, other: &Option<String>| {
            if part.is_empty() { Ok(other.clone()) } else { percent_decoded(part).map(Some) }
        };
        Ok((decoded(user, &self.username)?, decoded(password, &self.password)?))
    }
}

/// Whether this is a login, and not a host with a path or a query that contains an `@`.
fn is_login(text: &str) -> bool {
    let Some((first, _)) = text.split_once(['/', '?', '#']) else { return true };
    first.split_once(':').is_some_and(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
}

fn encode_hosts() -> Error {
    bad(&Language::current()
        .text(&format!("after the login, each host is `host`, `host:port` or `[v6]:port`, the port from 1 to 65535. {ENCODE}")))
}

fn database(text: &str) -> Result<i64> {
    text.parse()
        .ok()
        .filter(|db| (0..=i64::from(i32::MAX)).contains(db))
        .ok_or_else(|| bad("the database is not a whole number from 0 on"))
}

fn percent_decoded(text: &str) -> Result<String> {
    match percent_encoding::percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(bad("its `%` escapes are not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str) -> Options {
        let mut options = Options::new("mail");
        options.set("url", url).unwrap();
        options.check().unwrap();
        options
    }

    #[test]
    fn urls_name_every_kind_of_server() {
        let options = with("rediss://ann:p%40ss@db.example:7000/3");
        assert_eq!(options.address, Address::Tcp(("db.example".into(), 7000)));
        assert_eq!((options.username.as_deref(), options.password.as_deref()), (Some("ann"), Some("p@ss")));
        assert_eq!((options.db, options.tls.is_some()), (3, true));
        let options = with("redis://:a+b=c&d=@db.example");
        assert_eq!((options.username, options.password.as_deref()), (None, Some("a+b=c&d=")));
        let options = with("unix:///tmp/r.sock?db=2");
        assert_eq!((options.address, options.db), (Address::Unix("/tmp/r.sock".into()), 2));
        let options = with("redis+sentinel://a:1,b/main/4");
        let sentinels = vec![("a".into(), 1), ("b".into(), 26379)];
        assert_eq!((options.address, options.db), (Address::Sentinel { sentinels, master: "main".into() }, 4));
        let options = with("redis+cluster://a:1,[::1]:2");
        assert_eq!(options.address, Address::Cluster(vec![("a".into(), 1), ("::1".into(), 2)]));
        for bad in [
            "redis://[::1]6380",
            "redis+cluster://a,:7000",
            "redis://a:0",
            "redis+sentinel://a",
            "http://a",
            "redis://a b",
            "redis://a/x",
            "redis://a/-1",
            "unix://",
            "redis://:%ff@a",
        ] {
            assert!(Options::new("mail").set("url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_message_shows_a_password() {
        for url in [
            "redis://:hunter2",
            "redis://ann:hunter2",
            "redis://host:6379?password=hunter2",
            "redis://host/0?password=hunter2",
            "redis://host:6379/0?password=a@hunter2",
            "redis://:x&hunter2",
            "redis://host#hunter2",
            "redis://:hunt/er2@host/hunter2",
            "redis://ann:12/hunter2@host",
            "redis://:p@hunter2:x",
            "hunter2",
            "hunter2://x",
            "redis://[hunter2",
            "redis://a/hunter2",
            "redis://a/0/hunter2",
            "redis+cluster://a,:hunter2",
            "redis+sentinel://:hunter2/main",
            "redis+sentinel://a:hunter2@",
            "unix:///s?pass=a&hunter2",
            "unix:///s?hunter2=1",
            "unix:///s?db=hunter2",
            "unix://:hunter2@",
            "unix:///s#hunter2",
            "redis://:%ffhunter2@a",
        ] {
            let mut options = Options::new("mail");
            let error = options.set("url", url).and_then(|()| options.check()).expect_err(url);
            assert!(
                !error.message().contains("hunter2") && error.message().contains("redis://user:password@host"),
                "{url}: {error}"
            );
            assert!(!format!("{options:?} {}", options.address).contains("hunter2"), "{url}");
            assert_eq!(options, Options::new("mail"), "nothing is set by half: {url}");
        }
        for (name, value) in [
            ("host", "redis://:hunter2@a"),
            ("host", "ann:hunter2@a"),
            ("nodes", "a:1,:hunter2"),
            ("nodes", "redis://:hunter2@a"),
            ("sentinels", "ann:hunter2@a"),
        ] {
            let mut options = Options::new("mail");
            options.set("sentinel_master", "main").unwrap();
            let error = options.set(name, value).and_then(|()| options.check()).expect_err(value);
            assert!(!error.message().contains("hunter2") && error.message().contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn passwords_that_are_not_encoded_are_taken_where_they_are_clear() {
        for (url, password) in [
            ("redis://:a/b@host", "a/b"),
            ("redis://ann:p@ss@host", "p@ss"),
            ("redis://ann:a?b#c@host/2", "a?b#c"),
            ("redis://:a&b=c@host", "a&b=c"),
            ("redis://ann:a:b@host", "a:b"),
            ("unix://ann:secret@/tmp/r.sock", "secret"),
            ("unix:///tmp/r.sock?password=a%26b", "a&b"),
        ] {
            assert_eq!(with(url).password.as_deref(), Some(password), "{url}");
        }
    }

    mod any {
        use proptest::prelude::*;

        use super::super::*;

        const SECRET: &str = "hunter2secret";

        /// What may surround a password in a URL.
        fn part() -> impl Strategy<Value = String> {
            prop_oneof![
                proptest::sample::select(vec![
                    "redis://",
                    "rediss://",
                    "unix://",
                    "redis+sentinel://",
                    "redis+cluster://",
                    "://",
                    "@",
                    ":",
                    "/",
                    "?",
                    "#",
                    "&",
                    "=",
                    "%",
                    "%2",
                    "%41",
                    "[",
                    "]",
                    "::1",
                    ",",
                    "host",
                    "6379",
                    "0",
                    "-1",
                    "99999",
                    "main",
                    "password=",
                    "pass=",
                    "db=",
                    "user:",
                    " ",
                    "\n",
                    "\0",
                    "é",
                    "%ff",
                    "+",
                ])
                .prop_map(str::to_owned),
                ".{0,4}",
            ]
        }

        fn encoded(text: &str) -> String {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        }

        /// A URL that says what options say.
        fn url_of(options: &Options) -> Option<String> {
            let list = |hosts: &[crate::HostPort]| {
                let each = |(host, port): &crate::HostPort| {
                    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
                };
                hosts.iter().map(each).collect::<Vec<_>>().join(",")
            };
            let login = match (&options.username, &options.password) {
                (None, None) => String::new(),
                (user, password) => {
                    format!("{}:{}@", encoded(user.as_deref().unwrap_or("")), encoded(password.as_deref().unwrap_or("")))
                }
            };
            let s = if options.tls.is_some() { "s" } else { "" };
            let db = options.db;
            Some(match &options.address {
                Address::Tcp(pair) => format!("redis{s}://{login}{}/{db}", list(std::slice::from_ref(pair))),
                Address::Sentinel { sentinels, master } => {
                    format!("redis{s}+sentinel://{login}{}/{}/{db}", list(sentinels), encoded(master))
                }
                Address::Cluster(nodes) => format!("redis{s}+cluster://{login}{}/{db}", list(nodes)),
                Address::Unix(_) => return None,
            })
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

            #[test]
            fn urls_are_refused_without_their_secret_or_say_the_same_again(before in proptest::collection::vec(part(), 0..6), after in proptest::collection::vec(part(), 0..6), start in 0..3) {
                let url = format!("{}{}{SECRET}{}", if start > 0 { "redis://" } else { "" }, before.concat(), after.concat());
                let mut options = Options::new("mail");
                match options.set("url", &url).and_then(|()| options.check()) {
                    Err(error) => prop_assert!(!error.message().contains(SECRET), "{url:?}: {error}"),
                    Ok(()) => {
                        if options.password.as_ref().is_some_and(|password| password.contains(SECRET)) {
                            let shown = format!("{options:?} {}", options.address);
                            prop_assert!(!shown.contains(SECRET), "{url:?}: {shown}");
                        }
                        if let Some(again) = url_of(&options) {
                            let mut other = Options::new("mail");
                            other.set("url", &again).unwrap();
                            prop_assert_eq!(&other, &options, "{:?} and {:?}", url, again);
                        }
                    }
                }
            }

            #[test]
            fn encoded_logins_come_back(user in ".{1,12}", password in ".{1,12}", port in 1u16.., db in 0i64..100) {
                let url = format!("redis://{}:{}@host:{port}/{db}", encoded(&user), encoded(&password));
                let mut options = Options::new("mail");
                options.set("url", &url).unwrap();
                prop_assert_eq!((options.username.as_deref(), options.password.as_deref()), (Some(user.as_str()), Some(password.as_str())));
                prop_assert_eq!((options.address, options.db), (Address::Tcp(("host".into(), port)), db));
            }
        }
    }
}
