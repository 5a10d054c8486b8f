package dev.acrite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Azure is called as its clients call it: over HTTPS, by the JVM's proxy and trust store. */
@ExtendWith(AcriteExtension.class)
class ExampleTest {
    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static int group(Acrite acrite, String method) throws Exception {
        HttpClient http = HttpClient.newBuilder().proxy(java.net.ProxySelector.getDefault()).build();
        String form = "grant_type=client_credentials&scope=" + encoded("https://management.azure.com/.default")
                + "&client_id=" + encoded(acrite.variable("AZURE_CLIENT_ID"))
                + "&client_secret=" + encoded(acrite.variable("AZURE_CLIENT_SECRET"));
        URI signIn = URI.create("https://login.microsoftonline.com/" + acrite.variable("AZURE_TENANT_ID") + "/oauth2/v2.0/token");
        var signedIn = http.send(HttpRequest.newBuilder(signIn)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(BodyPublishers.ofString(form)).build(), BodyHandlers.ofString());
        String token = signedIn.body().replaceAll("(?s).*\"access_token\":\"([^\"]*)\".*", "$1");
        URI path = URI.create("https://management.azure.com/subscriptions/" + acrite.variable("AZURE_SUBSCRIPTION_ID")
                + "/resourceGroups/tests?api-version=2021-04-01");
        var answer = http.send(HttpRequest.newBuilder(path)
                .header("Authorization", "Bearer " + token)
                .header("Content-Type", "application/json")
                .method(method, BodyPublishers.ofString("{\"location\": \"eastus\"}")).build(), BodyHandlers.ofString());
        return answer.statusCode();
    }

    @Test
    void aGroupIsMade(Acrite acrite) throws Exception {
        assertEquals(404, group(acrite, "GET"));
        assertEquals(201, group(acrite, "PUT"));
    }

    @Test
    void anotherTestDoesNotSeeIt(Acrite acrite) throws Exception {
        assertEquals(404, group(acrite, "GET"));
        assertEquals(201, group(acrite, "PUT"));
    }

    @Test
    void aFaultHitsAsOftenAsItSays(Acrite acrite) throws Exception {
        acrite.fault("{\"service\": \"arm\", \"operation\": \"*/resourceGroups/write\", \"status\": 429, \"times\": 1}");
        assertEquals(429, group(acrite, "PUT"));
        assertEquals(201, group(acrite, "PUT"));
        assertTrue(acrite.faults().contains("\"hit\":1"), acrite.faults());
    }

    @Test
    void timePassesAtOnce(Acrite acrite) {
        acrite.advance(86400);
    }
}
