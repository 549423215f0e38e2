//! Who may come in, and what he may do: the sections `auth` and `acl`.

use crate::rule::{ANY, JWT_ALGORITHM, NAME, PATH_OR_NONE, URL_OR_NONE};
use crate::table::Allowed::{List, OneOf, Range, Text};
use crate::table::{choice, section};

section! {
    /// Who may come in. A client is asked for by certificate, token, password file, LDAP, database, Redis and HTTP, in this
    /// order; the first that knows it decides. SIGHUP reads the files anew.
    "auth" Auth {
        /// Who comes in without a name: "loopback" lets in whoever is on this machine. Where nothing below is set, names and
        /// passwords are not looked at.
        anonymous: Anonymous = Anonymous::Loopback, OneOf(Anonymous::WORDS);
        /// File of user names and hashed passwords; `strowger passwd` writes it, and Mosquitto's are read. Empty: none.
        password_file: String = String::new(), Text(PATH_OR_NONE);
        /// How long a password that was right is not hashed again; 0 hashes each time. A reload forgets all of them.
        password_cache_secs: u64 = 60, Range(0..=86_400), "seconds";
        /// Passwords that are remembered, as keyed hashes.
        password_cache_max: usize = 10_000, Range(1..=10_000_000), "passwords";
        /// What of a client certificate is the user name; the listener has to ask for certificates.
        certificate_name: CertificateName = CertificateName::None, OneOf(CertificateName::WORDS);
        /// JSON Web Keys that tokens are checked with: a file, or an https address. Empty: no tokens.
        jwt_keys: String = String::new(), Text(PATH_OR_NONE);
        /// Algorithms that tokens may be signed with.
        jwt_algorithms: Vec<String> = vec!["ES256".to_owned(), "RS256".to_owned()], List(JWT_ALGORITHM);
        /// The issuer (`iss`) that tokens must have. Empty: any.
        jwt_issuer: String = String::new(), Text(ANY);
        /// The audience (`aud`) that tokens must be for. Empty: nobody in particular.
        jwt_audience: String = String::new(), Text(ANY);
        /// The claim that names the user.
        jwt_username_claim: String = "sub".to_owned(), Text(NAME);
        /// The claim that lists the user's groups.
        jwt_groups_claim: String = "groups".to_owned(), Text(NAME);
        /// The field of CONNECT that carries the token.
        jwt_field: TokenField = TokenField::Password, OneOf(TokenField::WORDS);
        /// By how much clocks may differ.
        jwt_leeway_secs: u64 = 60, Range(0..=3600), "seconds";
        /// The age at which keys from an address are asked for again.
        jwt_refresh_secs: u64 = 3600, Range(30..=86_400), "seconds";
        /// Address that is asked about a client by POST; only a clear yes lets it in. Empty: none.
        http_url: String = String::new(), Text(URL_OR_NONE);
        /// How long the answer of a server may take, also that of a server of keys.
        http_timeout_ms: u64 = 5000, Range(10..=60_000), "milliseconds";
        /// Questions under way at once.
        http_requests_max: usize = 64, Range(1..=10_000), "requests";
        /// How long an answer holds for the same client with the same password; 0 asks each time.
        http_cache_secs: u64 = 30, Range(0..=86_400), "seconds";
        /// Answers that are remembered.
        http_cache_max: usize = 10_000, Range(1..=10_000_000), "answers";
        /// Database that knows users: postgres://USER:PASSWORD@HOST/DATABASE, mysql://..., sqlite://PATH. Empty: none. Wants a
        /// broker that was built with the feature "sql".
        sql_url: String = String::new(), Text(ANY);
        /// File that holds the address of the database, where it is a secret.
        sql_url_file: String = String::new(), Text(PATH_OR_NONE);
        /// Query that gives `password_hash`, and if you like `username` (has to be the same letter by letter), `is_superuser` and
        /// `groups` (names with commas). ${username}, ${client_id}, ${address} and ${listener} are bound to it.
        sql_query: String = "SELECT password_hash, username FROM mqtt_users WHERE username = ${username}".to_owned(), Text(ANY);
        /// Query that gives the rights of a user in three columns: allow (0 or 1), action (publish, subscribe, all), topic filter.
        /// Empty: the book of rights alone decides.
        sql_acl_query: String = String::new(), Text(ANY);
        /// Redis that knows users: rediss://USER:PASSWORD@HOST/DATABASE. Empty: none. Wants a broker that was built with the
        /// feature "redis".
        redis_url: String = String::new(), Text(ANY);
        /// File that holds the address of Redis, where it is a secret.
        redis_url_file: String = String::new(), Text(PATH_OR_NONE);
        /// Key of the hash with `password_hash`, and if you like `is_superuser` and `groups`; %u is the user name, %c the client
        /// identifier.
        redis_key: String = "mqtt:user:%u".to_owned(), Text(ANY);
        /// Key of the hash of topic filters with `publish`, `subscribe`, `all` or one of them behind `deny`. Empty: the book of
        /// rights alone decides.
        redis_acl_key: String = String::new(), Text(ANY);
        /// LDAP server that knows users: ldaps://HOST, or ldap://HOST, where StartTLS is used as `directory_tls` says. Empty:
        /// none. Wants a broker that was built with the feature "ldap".
        ldap_url: String = String::new(), Text(ANY);
        /// Who searches. Empty: nobody in particular.
        ldap_bind_dn: String = String::new(), Text(ANY);
        /// File that holds the password of who searches.
        ldap_password_file: String = String::new(), Text(PATH_OR_NONE);
        /// Where users are searched, with all that is below.
        ldap_base: String = String::new(), Text(ANY);
        /// What finds the one entry of a user; %u is the user name, %c the client identifier.
        ldap_filter: String = "(uid=%u)".to_owned(), Text(ANY);
        /// The attribute that has to be the user name letter by letter. Empty: what the filter finds is good.
        ldap_name_attribute: String = "uid".to_owned(), Text(ANY);
        /// The attribute of a user's entry that lists groups; of cn=office,ou=groups the group is office.
        ldap_group_attribute: String = "memberOf".to_owned(), Text(ANY);
        /// Where groups have to stand, and where they are searched. Empty: anywhere.
        ldap_group_base: String = String::new(), Text(ANY);
        /// What finds the groups of a user, such as (member=%d); %d is the name of the user's entry. Empty: they are not
        /// searched.
        ldap_group_filter: String = String::new(), Text(ANY);
        /// When a database, Redis or an LDAP server has to be spoken to by TLS, its certificate verified.
        directory_tls: DirectoryTls = DirectoryTls::Remote, OneOf(DirectoryTls::WORDS);
        /// PEM file of the authorities that its certificate may come from. Empty: those that are trusted by default.
        directory_ca: String = String::new(), Text(PATH_OR_NONE);
        /// How long its answer may take, with the connection that it may need.
        directory_timeout_ms: u64 = 5000, Range(10..=60_000), "milliseconds";
        /// Questions under way at once, for each of them; a database has as many connections.
        directory_requests_max: usize = 16, Range(1..=1_000), "questions";
        /// How long an answer holds for the same client with the same password; 0 asks each time.
        directory_cache_secs: u64 = 30, Range(0..=86_400), "seconds";
        /// Answers that are remembered.
        directory_cache_max: usize = 10_000, Range(1..=10_000_000), "answers";
        /// Clients, users and addresses that stay outside, one to a line. Empty: none.
        bans_file: String = String::new(), Text(PATH_OR_NONE);
        /// Failures in a row from one address before it is not listened to; one of them is forgotten each second.
        address_failures_max: u32 = 100, Range(1..=1_000_000), "failures";
        /// Failures in a row under one user name; one of them is forgotten every five seconds.
        name_failures_max: u32 = 20, Range(1..=1_000_000), "failures";
        /// Connections of one client identifier from one address within the window, before it is held off (0x9F in 5.0, 0x03
        /// in 3.x); 0: any number.
        flapping_connects_max: u32 = 120, Range(0..=1_000_000), "connections";
        /// The time within which they are counted.
        flapping_window_secs: u64 = 60, Range(1..=86_400), "seconds";
        /// How long such a client is held off.
        flapping_ban_secs: u64 = 60, Range(1..=86_400), "seconds";
        /// Passwords that are hashed at once; 0 takes half of the cores, and at least one.
        hashes_max: usize = 0, Range(0..=1024), "passwords";
        /// Clients that wait for a hash or an answer; more are refused (0x88 in 5.0).
        waiting_max: usize = 1000, Range(1..=1_000_000), "clients";
        /// How long all of it may take for one client.
        timeout_secs: u64 = 10, Range(1..=600), "seconds";
    }
}

choice! {
    /// Who comes in without being known.
    Anonymous {
        /// Nobody.
        Deny = "deny",
        /// Who connects from this machine.
        Loopback = "loopback",
        /// Everybody.
        Allow = "allow",
    }
}

choice! {
    /// When a directory has to be spoken to by TLS.
    DirectoryTls {
        /// As its address says.
        AsGiven = "as_given",
        /// Unless it is on this machine.
        Remote = "remote",
        /// Always.
        Always = "always",
    }
}

choice! {
    /// What of a client certificate is the user name.
    CertificateName {
        /// Nothing: certificates open the door and say no name.
        None = "none",
        /// The common name of its subject.
        CommonName = "common_name",
        /// Its whole subject, as RFC 4514 writes it.
        Subject = "subject",
        /// The first DNS name among its alternative names.
        Dns = "dns",
        /// The first e-mail address among its alternative names.
        Email = "email",
    }
}

choice! {
    /// The field of CONNECT that carries a token.
    TokenField {
        /// The password.
        Password = "password",
        /// The user name.
        Username = "username",
    }
}

section! {
    /// What clients may do.
    "acl" Acl {
        /// File of rights, in Mosquitto's format with additions; docs/ACCESS.md describes it. What it does not allow is
        /// denied. Empty: everything is allowed. SIGHUP reads it anew, and what it takes away is taken at once.
        file: String = String::new(), Text(PATH_OR_NONE);
        /// What becomes of a subscription of which only a part is allowed, such as "#".
        wide_subscriptions: WideSubscriptions = WideSubscriptions::Grant, OneOf(WideSubscriptions::WORDS);
        /// What becomes of a client that loses a subscription because rights have changed.
        lost_subscriptions: LostSubscriptions = LostSubscriptions::Disconnect, OneOf(LostSubscriptions::WORDS);
        /// Who may take up a session.
        sessions: SessionsOf = SessionsOf::Owner, OneOf(SessionsOf::WORDS);
        /// Decisions that a line remembers, at some 100 bytes each; half of them at least are found again.
        decisions_cached_max: usize = 65_536, Range(0..=100_000_000), "decisions";
    }
}

choice! {
    /// What becomes of a subscription of which only a part is allowed.
    WideSubscriptions {
        /// It is granted, and each delivery judged by itself, as with Mosquitto.
        Grant = "grant",
        /// It is refused (0x87 in 5.0).
        Refuse = "refuse",
    }
}

choice! {
    /// What becomes of a client that loses a subscription because rights have changed.
    LostSubscriptions {
        /// It is disconnected (0x87 in 5.0), so that it learns of it.
        Disconnect = "disconnect",
        /// It stays, without the subscription.
        Keep = "keep",
    }
}

choice! {
    /// Who may take up a session.
    SessionsOf {
        /// The user who opened it.
        Owner = "owner",
        /// Whoever knows its client identifier.
        Anyone = "anyone",
    }
}
