// Microsoft's Key Vault client for Java, unmodified and with its challenge check on, with the credential that
// DefaultAzureCredential finds in the environment. What it prints is for keyvault.check.py.

import com.azure.core.exception.ResourceNotFoundException;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.security.keyvault.keys.KeyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.CryptographyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;

class KeyVault {
    static String text(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    static void check(boolean good, String what) {
        if (!good) {
            throw new IllegalStateException(what);
        }
    }

    public static void main(String[] arguments) throws Exception {
        var credential = new DefaultAzureCredentialBuilder().build();
        var client = new KeyClientBuilder().vaultUrl(arguments[0]).credential(credential).buildClient();
        var key = client.createRsaKey(new CreateRsaKeyOptions("java-rsa").setKeySize(2048));
        var crypto = new CryptographyClientBuilder().keyIdentifier(key.getId()).credential(credential).buildClient();
        var digest = MessageDigest.getInstance("SHA-256").digest("text".getBytes());
        for (var algorithm : new SignatureAlgorithm[] {SignatureAlgorithm.RS256, SignatureAlgorithm.PS256}) {
            var signature = crypto.sign(algorithm, digest).getSignature();
            System.out.printf("{\"alg\":\"%s\",\"n\":\"%s\",\"e\":\"%s\",\"digest\":\"%s\",\"signature\":\"%s\"}%n", algorithm,
                text(key.getKey().getN()), text(key.getKey().getE()), text(digest), text(signature));
        }
        var secret = new byte[32];
        new SecureRandom().nextBytes(secret);
        var wrapped = crypto.wrapKey(KeyWrapAlgorithm.RSA_OAEP_256, secret).getEncryptedKey();
        check(Arrays.equals(crypto.unwrapKey(KeyWrapAlgorithm.RSA_OAEP_256, wrapped).getKey(), secret), "unwrap");
        var rotated = client.rotateKey("java-rsa");
        check(!rotated.getId().equals(key.getId()), "a rotated key has another version");
        check(client.listPropertiesOfKeyVersions("java-rsa").stream().count() == 2, "two versions");
        client.beginDeleteKey("java-rsa").waitForCompletion();
        client.beginRecoverDeletedKey("java-rsa").waitForCompletion();
        try {
            client.getKey("java-none");
            check(false, "a key that is not there was found");
        } catch (ResourceNotFoundException refused) {
            check(refused.getMessage().contains("was not found in this key vault"), refused.getMessage());
        }
    }
}
