//! The hotel service over gRPC, with the server stack, while every other service is unavailable.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;
    use staymesh_api::hotel::v1::{
        DeleteHotelRequest, GetHotelRequest, hotel_admin_service_client::HotelAdminServiceClient,
        hotel_service_client::HotelServiceClient,
    };
    use staymesh_devenv::port::free_port;
    use staymesh_hotel::{Config, MIGRATOR};
    use staymesh_mesh::{Problem, Reason};
    use staymesh_testkit::TestDatabase;
    use tokio::time::{Instant, sleep};
    use tokio_util::sync::CancellationToken;
    use tonic::transport::{Channel, Endpoint};

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        config: Config,
    }

    fn config(database_url: &str, port: u16) -> Config {
        let listen = format!("127.0.0.1:{port}");
        // No process listens on port 1.
        let unavailable = "http://127.0.0.1:1";
        let arguments = [
            ["--listen", &*listen],
            ["--database-url", database_url],
            ["--identity-url", unavailable],
            ["--reservation-url", unavailable],
            ["--service-client-id", "hotel"],
            ["--service-client-secret", "unused"],
        ];
        Program::try_parse_from(["hotel"].iter().chain(arguments.iter().flatten())).unwrap().config
    }

    async fn connect(port: u16) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match endpoint.connect().await {
                Ok(channel) => return channel,
                Err(error) => assert!(Instant::now() < deadline, "not listening after 20 s: {error}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn serve_responds_while_other_services_are_unavailable_and_stops_on_cancel() {
        let database = TestDatabase::new("hotel", &MIGRATOR).await.unwrap();
        let (port, stop) = (free_port().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(staymesh_hotel::serve(config(database.url(), port), stop.clone()));
        let channel = connect(port).await;

        let request = GetHotelRequest { hotel_id: 7 };
        let refused = HotelServiceClient::new(channel.clone()).get_hotel(request).await.unwrap_err();
        assert_eq!(Problem::reason_of(&refused), Some(Reason::HotelNotFound));
        let request = DeleteHotelRequest { hotel_id: 7, etag: String::new() };
        let refused = HotelAdminServiceClient::new(channel).delete_hotel(request).await.unwrap_err();
        assert_eq!(Problem::reason_of(&refused), Some(Reason::Unauthenticated));

        stop.cancel();
        serving.await.unwrap().unwrap();
    }
}
