// Microsoft's Key Vault client for Go, unmodified and with its challenge check on, with the credential that
// DefaultAzureCredential finds in the environment. It asks the server for every operation, wrapping too. What it
// prints is for keyvault.check.py.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func check(good bool, what string) {
	if !good {
		log.Fatal(what)
	}
}

var text = base64.RawURLEncoding.EncodeToString

func main() {
	url, private := os.Args[1], os.Args[2]
	ctx := context.Background()
	credential := must(azidentity.NewDefaultAzureCredential(nil))
	client := must(azkeys.NewClient(url, credential, nil))

	made := must(client.CreateKey(ctx, "go-rsa", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr(int32(2048))}, nil))
	digest := sha256.Sum256([]byte("text"))
	for _, algorithm := range []azkeys.SignatureAlgorithm{azkeys.SignatureAlgorithmRS256, azkeys.SignatureAlgorithmPS256} {
		signed := must(client.Sign(ctx, "go-rsa", "", azkeys.SignParameters{Algorithm: &algorithm, Value: digest[:]}, nil))
		verified := must(client.Verify(ctx, "go-rsa", made.Key.KID.Version(), azkeys.VerifyParameters{Algorithm: &algorithm, Digest: digest[:], Signature: signed.Result}, nil))
		check(*verified.Value, "the server does not verify what it signed")
		line := map[string]string{"alg": string(algorithm), "n": text(made.Key.N), "e": text(made.Key.E), "digest": text(digest[:]), "signature": text(signed.Result)}
		fmt.Println(string(must(json.Marshal(line))))
	}

	// An imported key: what the server wraps with it opens with the private key that never left this machine.
	block, _ := pem.Decode(must(os.ReadFile(private)))
	key := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
	jwk := azkeys.JSONWebKey{
		Kty: to.Ptr(azkeys.KeyTypeRSA), N: key.N.Bytes(), E: big.NewInt(int64(key.E)).Bytes(), D: key.D.Bytes(),
		P: key.Primes[0].Bytes(), Q: key.Primes[1].Bytes(),
		DP: key.Precomputed.Dp.Bytes(), DQ: key.Precomputed.Dq.Bytes(), QI: key.Precomputed.Qinv.Bytes(),
	}
	must(client.ImportKey(ctx, "go-imported", azkeys.ImportKeyParameters{Key: &jwk}, nil))
	secret := make([]byte, 32)
	must(rand.Read(secret))
	parameters := azkeys.KeyOperationParameters{Algorithm: to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256), Value: secret}
	wrapped := must(client.WrapKey(ctx, "go-imported", "", parameters, nil))
	encrypted := must(client.Encrypt(ctx, "go-imported", "", parameters, nil))
	for _, result := range [][]byte{wrapped.Result, encrypted.Result} {
		line := map[string]string{"wrapped": text(result), "secret": text(secret)}
		fmt.Println(string(must(json.Marshal(line))))
	}
	parameters.Value = wrapped.Result
	check(string(must(client.UnwrapKey(ctx, "go-imported", "", parameters, nil)).Result) == string(secret), "unwrap")
	parameters.Value = encrypted.Result
	check(string(must(client.Decrypt(ctx, "go-imported", "", parameters, nil)).Result) == string(secret), "decrypt")

	for i := range 30 {
		must(client.CreateKey(ctx, fmt.Sprintf("go-page-%02d", i), azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP256)}, nil))
	}
	count := 0
	for pager := client.NewListKeyPropertiesPager(nil); pager.More(); {
		count += len(must(pager.NextPage(ctx)).Value)
	}
	check(count == 32, fmt.Sprintf("%d keys, not 32", count))

	must(client.RotateKey(ctx, "go-rsa", nil))
	backup := must(client.BackupKey(ctx, "go-rsa", nil))
	must(client.DeleteKey(ctx, "go-rsa", nil))
	must(client.GetDeletedKey(ctx, "go-rsa", nil))
	must(client.PurgeDeletedKey(ctx, "go-rsa", nil))
	must(client.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: backup.Value}, nil))
	_, err := client.GetKey(ctx, "go-none", "", nil)
	var refused *azcore.ResponseError
	check(errors.As(err, &refused) && refused.ErrorCode == "KeyNotFound" && refused.StatusCode == 404, fmt.Sprint(err))
}
