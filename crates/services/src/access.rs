//! Who acts, and what they may do.

use domain::id::{ApiKeyId, ProjectId, UserId};
use domain::role::Role;

use crate::error::{Error, Result};

/// Who asks for a use case. Made by the edge (API key, session, command line) after it proved who
/// it is; use cases only ask [`Actor::require`].
#[derive(Clone, Debug)]
pub struct Actor {
    /// The credential.
    pub kind: ActorKind,
    /// How the audit names it: an e-mail address, a key's name, `system`.
    pub label: String,
    /// Address of the client, when there is one.
    pub address: Option<String>,
    /// What it may do where.
    pub grants: Grants,
}

/// The credential behind an [`Actor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A signed-in person.
    User(UserId),
    /// A key of one project.
    ApiKey(ApiKeyId),
    /// The product itself, or an operator on the command line.
    System,
}

/// What an actor may do where.
#[derive(Clone, Debug)]
pub enum Grants {
    /// Everything, everywhere.
    Instance,
    /// A role in each of some projects.
    Projects(Vec<(ProjectId, Role)>),
}

impl Actor {
    /// The product itself.
    pub fn system() -> Self {
        Self {
            kind: ActorKind::System,
            label: "system".to_owned(),
            address: None,
            grants: Grants::Instance,
        }
    }

    /// The role in a project; `None` when the actor has nothing to do with it.
    pub fn role_in(&self, project: ProjectId) -> Option<Role> {
        match &self.grants {
            Grants::Instance => Some(Role::InstanceAdmin),
            Grants::Projects(roles) => roles.iter().find(|(id, _)| *id == project).map(|(_, role)| *role),
        }
    }

    /// Checks that the actor has at least `role` in `project`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] otherwise; another project's key learns nothing but that.
    pub fn require(&self, project: ProjectId, role: Role) -> Result<()> {
        match self.role_in(project) {
            Some(own) if own >= role => Ok(()),
            Some(_) => Err(Error::Forbidden("your role does not allow this")),
            None => Err(Error::Forbidden("this credential is not for this project")),
        }
    }

    /// Checks that the actor rules the instance.
    ///
    /// # Errors
    /// [`Error::Forbidden`] otherwise.
    pub fn require_instance(&self) -> Result<()> {
        match self.grants {
            Grants::Instance => Ok(()),
            Grants::Projects(_) => Err(Error::Forbidden("only an instance admin may do this")),
        }
    }

    /// The user behind the actor.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            ActorKind::User(id) => Some(id),
            ActorKind::ApiKey(_) | ActorKind::System => None,
        }
    }
}
