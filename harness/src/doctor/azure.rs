//! Names of Azure Container Apps, taken apart for the commands of a fix. Pure.

/// What a host name says about a container app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// The app; `None` where the host is none of Azure's.
    pub name: Option<String>,
    /// The revision's suffix, of `app--suffix`.
    pub revision: Option<String>,
    /// The label, of `app---label`.
    pub label: Option<String>,
    /// Whether it is reachable inside the environment only, by its name.
    pub internal: bool,
}

/// The domain of all container apps but those under a domain of their own.
const DOMAIN: &str = ".azurecontainerapps.io";

impl App {
    /// Of `app[--revision|---label][.internal].environment.region.azurecontainerapps.io`.
    pub fn of(host: &str) -> App {
        let Some(inside) = host.strip_suffix(DOMAIN) else {
            return App::default();
        };
        let mut parts = inside.split('.');
        let first = parts.next().unwrap_or_default();
        let internal = parts.next() == Some("internal");
        let (name, revision, label) = match (first.split_once("---"), first.split_once("--")) {
            (Some((name, label)), _) => (name, None, Some(label.to_owned())),
            (None, Some((name, revision))) => (name, Some(revision.to_owned()), None),
            (None, None) => (first, None, None),
        };
        App {
            name: (!name.is_empty()).then(|| name.to_owned()),
            revision,
            label,
            internal,
        }
    }

    /// `az containerapp <rest>` for this app; what the host does not say is a variable.
    pub fn az(&self, command: &str, options: &str) -> String {
        let name = self.name.as_deref().unwrap_or("$APP");
        let line = ["az containerapp", command, "-n", name, "-g $RG", options].join(" ");
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_apart() {
        let of = |host: &str| {
            let app = App::of(host);
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            (part(&app.name), part(&app.revision), part(&app.label), app.internal)
        };
        let expect = |name: &str, revision: &str, label: &str, internal| {
            (name.to_owned(), revision.to_owned(), label.to_owned(), internal)
        };
        let domain = "calm-sea-1a2b.westeurope.azurecontainerapps.io";
        assert_eq!(of(&format!("shop.{domain}")), expect("shop", "", "", false));
        assert_eq!(of(&format!("shop--7f3c.{domain}")), expect("shop", "7f3c", "", false));
        assert_eq!(
            of(&format!("shop---green.{domain}")),
            expect("shop", "", "green", false)
        );
        assert_eq!(of(&format!("shop.internal.{domain}")), expect("shop", "", "", true));
        assert_eq!(of("api.example.com"), expect("", "", "", false));
        assert_eq!(
            App::of("127.0.0.1").az("ingress update", "--transport http2"),
            "az containerapp ingress update -n $APP -g $RG --transport http2"
        );
        assert_eq!(
            App::of(&format!("shop.{domain}")).az("ingress show", ""),
            "az containerapp ingress show -n shop -g $RG"
        );
    }
}
