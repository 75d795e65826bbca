//! What the forms of the jobs page do.

use domain::run::parse_moment;
use services::jobs::{self, Job, JobInput};

use super::dto::JobForm;
use crate::{
    context::{parse_id, viewing},
    error::{Code, Reason, UiError},
};

/// Starts a job.
///
/// # Errors
/// Names the refused fields; a conflict while the job runs.
pub async fn start(form: JobForm) -> Result<String, UiError> {
    let by = viewing().await?;
    by.actor.require_instance()?;
    let job = Job::called(&form.job).map_err(|_| UiError::field("job", Reason::NotOffered))?;
    let id = jobs::start(&by.services, &by.actor, job, input(&form)?).await?;
    Ok(format!("/system/jobs/{id}?saved=job"))
}

fn input(form: &JobForm) -> Result<JobInput, UiError> {
    let as_of = match form.as_of.trim() {
        "" => None,
        text => Some(parse_moment(text).ok_or_else(|| {
            let say = "Enter a day or an instant such as 2026-11-20 or 2026-11-20T02:15:00Z";
            UiError::new(Code::Invalid).and("as_of", Reason::Refused, say)
        })?),
    };
    let project = match form.project.as_str() {
        "" => None,
        text => Some(parse_id(text)?),
    };
    Ok(JobInput {
        dry_run: form.dry_run,
        as_of,
        project,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_says_nothing_asks_for_nothing_special() {
        assert_eq!(input(&JobForm::default()), Ok(JobInput::default()));
        let form = JobForm {
            as_of: " 2026-11-20 ".to_owned(),
            ..JobForm::default()
        };
        let asked = input(&form).expect("read").as_of.expect("a moment");
        assert_eq!(asked.to_rfc3339(), "2026-11-20T00:00:00+00:00");
        let wrong = JobForm {
            as_of: "soon".to_owned(),
            ..JobForm::default()
        };
        assert!(input(&wrong).expect_err("refused").of("as_of").is_some());
    }
}
