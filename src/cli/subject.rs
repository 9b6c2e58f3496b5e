//! By what is a customer named on the command line?

use crate::pipeline::LookupKey;

/// An identifier of a customer.
#[derive(Debug, clap::Args)]
#[group(id = "subject", required = true, multiple = true)]
pub(super) struct Subject {
    /// An e-mail address, in any spelling.
    #[arg(long, conflicts_with_all = ["phone", "id", "name", "born"])]
    email: Option<String>,

    /// A phone number, in any spelling.
    #[arg(long, conflicts_with_all = ["id", "name", "born"])]
    phone: Option<String>,

    /// An identity id, a source's row key, or a loyalty, cookie, device or card id.
    #[arg(long, conflicts_with_all = ["name", "born"])]
    id: Option<String>,

    /// A full name, with --born.
    #[arg(long, requires = "born")]
    name: Option<String>,

    /// The birth date of --name, e.g. 1990-05-17.
    #[arg(long, requires = "name", value_name = "DATE")]
    born: Option<String>,
}

impl Subject {
    /// What is looked for.
    pub(super) fn key(&self) -> LookupKey {
        match (&self.email, &self.phone, (&self.name, &self.born)) {
            (Some(email), _, _) => LookupKey::Email(email.clone()),
            (_, Some(phone), _) => LookupKey::Phone(phone.clone()),
            (_, _, (Some(name), Some(born))) => {
                LookupKey::Person { name: name.clone(), born: born.clone() }
            }
            _ => LookupKey::Id(self.id.clone().unwrap_or_default()),
        }
    }
}
