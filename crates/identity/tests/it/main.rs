//! The identity service over gRPC, with the server stack.

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use clap::Parser;
    use staymesh_api::identity::v1::{
        CreateUserRequest, FindUserRequest, GetCurrentUserRequest, GetKeySetRequest, LoginRequest, LogoutRequest,
        auth_service_client::AuthServiceClient, identity_admin_service_client::IdentityAdminServiceClient,
        user_service_client::UserServiceClient,
    };
    use staymesh_devenv::port::free_port;
    use staymesh_identity::{Config, MIGRATOR, serve};
    use staymesh_mesh::{Problem, Reason};
    use staymesh_testkit::TestDatabase;
    use tokio_util::sync::CancellationToken;
    use tonic::{Request, Status, transport::Endpoint};

    const PASSWORD: &str = "correct horse battery";
    /// 32 bytes in base64.
    const ENCRYPTION_KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        config: Config,
    }

    fn config(database: &TestDatabase, redis: &str, mails: &str, port: u16) -> Config {
        let arguments = [
            "identity".to_owned(),
            format!("--listen=127.0.0.1:{port}"),
            format!("--database-url={}", database.url()),
            format!("--redis-url={redis}"),
            format!("--key-encryption-key={ENCRYPTION_KEY}"),
            "--identity-url=http://127.0.0.1:1".to_owned(),
            "--service-client-id=staymesh-identity".to_owned(),
            "--service-client-secret=unused".to_owned(),
            "--reservation-url=http://127.0.0.1:1".to_owned(),
            "--hotel-url=http://127.0.0.1:1".to_owned(),
            format!("--smtp-url=file://{mails}"),
            "--mail-from=booking@staymesh.example".to_owned(),
            "--public-url=https://booking.example".to_owned(),
            "--log=error".to_owned(),
        ];
        Program::try_parse_from(arguments).unwrap().config
    }

    #[track_caller]
    fn assert_reason<T>(result: Result<T, Status>, reason: Reason) {
        let status = result.err().expect("refused");
        assert_eq!(Problem::reason_of(&status), Some(reason), "{status:?}");
    }

    fn bearer<T>(message: T, token: &str) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    #[tokio::test]
    async fn serve_supports_sign_up_login_lookup_and_logout() {
        let redis_dir = tempfile::tempdir().unwrap();
        let redis = staymesh_devenv::Redis::start(redis_dir.path(), None).unwrap();
        let database = TestDatabase::new("identity", &MIGRATOR).await.unwrap();
        let port = free_port().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(
            config(&database, &redis.url(), &redis_dir.path().join("mails").display().to_string(), port),
            stop.clone(),
        ));
        let endpoint = Endpoint::try_from(format!("http://127.0.0.1:{port}")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let channel = loop {
            match endpoint.connect().await {
                Ok(channel) => break channel,
                Err(error) if serving.is_finished() || Instant::now() > deadline => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let mut users = UserServiceClient::new(channel.clone());
        let mut auth = AuthServiceClient::new(channel.clone());
        let mut admin = IdentityAdminServiceClient::new(channel);

        let sign_up = CreateUserRequest {
            email: "ada@example.com".to_owned(),
            password: PASSWORD.to_owned(),
            display_name: "Ada".to_owned(),
            request_id: String::new(),
            language: String::new(),
        };
        let user = users.create_user(sign_up).await.unwrap().into_inner();
        let login = LoginRequest { email: user.email.clone(), password: PASSWORD.to_owned() };
        let tokens = auth.login(login).await.unwrap().into_inner();
        assert_eq!(auth.get_key_set(GetKeySetRequest {}).await.unwrap().into_inner().keys.len(), 1);

        let token = &tokens.access_token;
        let seen = users.get_current_user(bearer(GetCurrentUserRequest {}, token)).await.unwrap().into_inner();
        assert_eq!(seen, user);
        assert_reason(users.get_current_user(GetCurrentUserRequest {}).await, Reason::Unauthenticated);
        // Authorization comes before validation: the invalid address is not reported.
        let find = FindUserRequest { email: "nonsense".to_owned() };
        assert_reason(admin.find_user(bearer(find, token)).await, Reason::AccessDenied);

        auth.logout(bearer(LogoutRequest {}, token)).await.unwrap();
        assert_reason(users.get_current_user(bearer(GetCurrentUserRequest {}, token)).await, Reason::TokenRevoked);

        stop.cancel();
        serving.await.unwrap().unwrap();
    }
}
