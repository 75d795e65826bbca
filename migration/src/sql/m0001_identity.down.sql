DROP TABLE audit, api_keys, organisation_members, projects, sign_in_failures, sessions, users, organisations;
