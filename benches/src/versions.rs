//! Which versions are measured: those that Cargo.lock names for this package.

use toml::{Table, Value};

/// The versions of what this package depends on.
pub struct Versions {
    packages: Vec<(String, String)>,
    /// "name", or "name version" where there are several.
    dependencies: Vec<String>,
}

impl Versions {
    /// Those that this program was built with.
    ///
    /// # Panics
    ///
    /// If Cargo.lock is none.
    pub fn built() -> Self {
        Self::read(include_str!("../../Cargo.lock"), env!("CARGO_PKG_NAME")).expect("a Cargo.lock")
    }

    fn read(lock: &str, package: &str) -> Option<Self> {
        let lock: Table = lock.parse().ok()?;
        let tables: Vec<&Value> = lock.get("package")?.as_array()?.iter().collect();
        let text = |table: &Value, key| Some(table.get(key)?.as_str()?.to_owned());
        let own = tables
            .iter()
            .find(|table| text(table, "name").as_deref() == Some(package))?;
        let dependencies = own.get("dependencies")?.as_array()?;
        Some(Self {
            packages: tables
                .iter()
                .map(|table| Some((text(table, "name")?, text(table, "version")?)))
                .collect::<Option<_>>()?,
            dependencies: dependencies
                .iter()
                .map(|value| Some(value.as_str()?.to_owned()))
                .collect::<Option<_>>()?,
        })
    }

    /// The name of a peer, which begins with that of its crate, with the version put in.
    ///
    /// # Panics
    ///
    /// If this package does not depend on such a crate.
    pub fn name(&self, peer: &str) -> String {
        let (name, rest) = peer.split_at(peer.find(' ').unwrap_or(peer.len()));
        let dependency = self
            .dependencies
            .iter()
            .find(|dependency| dependency.split(' ').next() == Some(name));
        let dependency = dependency.unwrap_or_else(|| panic!("no dependency is named {name}"));
        let version = match dependency.split(' ').nth(1) {
            Some(version) => version,
            None => self
                .packages
                .iter()
                .find_map(|(package, version)| (package == name).then_some(version))
                .unwrap_or_else(|| panic!("no package is named {name}")),
        };
        // What was built of it says nothing about its order.
        let version = version.split('+').next().unwrap_or(version);
        format!("{name} {version}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        version = 4
        [[package]]
        name = "tool"
        version = "0.1.0"
        dependencies = ["one", "two 2.0.1"]
        [[package]]
        name = "one"
        version = "0.3.4+build"
        [[package]]
        name = "two"
        version = "1.0.0"
        [[package]]
        name = "two"
        version = "2.0.1"
    "#;

    #[test]
    fn versions_are_those_that_the_package_depends_on() {
        let versions = Versions::read(LOCK, "tool").unwrap();
        assert_eq!(versions.name("one"), "one 0.3.4");
        assert_eq!(versions.name("two (chunks)"), "two 2.0.1 (chunks)");
        assert!(Versions::read(LOCK, "other").is_none());
    }

    #[test]
    fn every_peer_has_one() {
        let versions = Versions::built();
        for peer in crate::peers::all() {
            let name = versions.name(peer.name());
            assert!(name.len() > peer.name().len(), "{name}");
        }
    }
}
