package dev.acrite;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** A running instance: starts it, points this JVM at it, and drives it. Knows nothing of Azure. */
public final class Acrite implements AutoCloseable {
    private static final String LISTENS = "acrite listening on ";

    private final String url;
    private final Process process;
    private final Map<String, String> variables = new TreeMap<>();
    private HttpClient http;

    private Acrite(String url, Process process) throws IOException {
        this.url = url;
        this.process = process;
        for (String line : output("env", "--shell", "github")) {
            int at = line.indexOf('=');
            variables.put(line.substring(0, at), line.substring(at + 1));
        }
    }

    /** The instance that this process runs in, else one of its own. */
    public static Acrite start(String... options) throws IOException {
        String running = System.getenv("ACRITE_URL");
        if (running != null && !running.isEmpty()) {
            return new Acrite(running, null);
        }
        List<String> command = new ArrayList<>(List.of(program(), "serve", "--ephemeral", "--listen", "127.0.0.1:0"));
        command.addAll(List.of(options));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        BufferedReader lines = process.inputReader();
        String line = lines.readLine();
        if (line == null || !line.startsWith(LISTENS)) {
            throw new IOException("acrite did not start: " + line);
        }
        return new Acrite(line.substring(LISTENS.length()), process);
    }

    private static String program() {
        return Optional.ofNullable(System.getenv("ACRITE_BIN")).orElse("acrite");
    }

    private List<String> output(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(program()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("ACRITE_URL", url);
        Process process = builder.start();
        return process.inputReader().lines().toList();
    }

    /** Points what this JVM sends from now on at the instance. Its first TLS connection must not have been made. */
    public void pointThisJvm() {
        for (String option : variables.getOrDefault("JAVA_TOOL_OPTIONS", "").split(" ")) {
            if (option.startsWith("-D")) {
                String[] pair = option.substring(2).split("=", 2);
                System.setProperty(pair[0], pair.length > 1 ? pair[1] : "");
            }
        }
        ProxySelector.setDefault(ProxySelector.getDefault());
    }

    /** What other languages read from the environment: AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, … */
    public String variable(String name) {
        return variables.get(name);
    }

    /** The control API. Bodies and answers are JSON. */
    public String call(String method, String path, String body) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + "/acrite/v1/" + path))
                .header("Content-Type", "application/json")
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        String token = System.getenv("ACRITE_TOKEN");
        if (token != null && !token.isEmpty()) {
            request.header("Authorization", "Bearer " + token);
        }
        try {
            var answer = direct().send(request.build(), BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IllegalStateException("acrite: " + method + " " + path + ": " + answer.body());
            }
            return answer.body();
        } catch (IOException why) {
            throw new IllegalStateException(why);
        } catch (InterruptedException why) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(why);
        }
    }

    /** Never by way of a proxy. Made late, for with the first client the JVM reads its trust store. */
    private synchronized HttpClient direct() {
        if (http == null) {
            http = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).build();
        }
        return http;
    }

    /** Makes calls fail, as docs/faults.md says. */
    public String fault(String rule) {
        return call("POST", "faults", rule);
    }

    public String faults() {
        return call("GET", "faults", null);
    }

    public String clearFaults() {
        return call("DELETE", "faults", null);
    }

    public String advance(long seconds) {
        return call("POST", "clock", "{\"advance\": " + seconds + "}");
    }

    public String audit() {
        return call("GET", "audit", null);
    }

    public void save(String name) {
        call("POST", "snapshots", "{\"name\": \"" + name + "\"}");
    }

    public void load(String name) {
        call("POST", "snapshots/" + name + "/load", "{}");
    }

    public void forget(String name) {
        call("DELETE", "snapshots/" + name, null);
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroy();
            try {
                process.waitFor();
            } catch (InterruptedException why) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
