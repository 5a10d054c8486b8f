// How many empty requests, wrapKey, unwrapKey and sign a second Microsoft's Go client gets from a vault, over kept-alive TLS.
// Prints "operation count-per-second".
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

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

func main() {
	url, workers := os.Args[1], must(strconv.Atoi(os.Args[2]))
	span := time.Duration(must(strconv.Atoi(os.Args[3]))) * time.Second
	ctx := context.Background()
	client := must(azkeys.NewClient(url, must(azidentity.NewDefaultAzureCredential(nil)), nil))
	key := must(client.CreateKey(ctx, "bench", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr(int32(2048))}, nil))
	version := key.Key.KID.Version()
	secret := make([]byte, 32)
	must(rand.Read(secret))
	oaep := to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256)
	wrapped := must(client.WrapKey(ctx, "bench", version, azkeys.KeyOperationParameters{Algorithm: oaep, Value: secret}, nil)).Result
	// What a request costs without any work: one without a token, refused as soon as it is read.
	plain := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: workers}}
	operations := []struct {
		name string
		run  func() error
	}{
		{"empty", func() error {
			answer, err := plain.Get(url + "/keys/bench?api-version=7.6")
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized {
				return fmt.Errorf("answered %d", answer.StatusCode)
			}
			_, err = io.Copy(io.Discard, answer.Body)
			return err
		}},
		{"wrapKey", func() error {
			_, err := client.WrapKey(ctx, "bench", version, azkeys.KeyOperationParameters{Algorithm: oaep, Value: secret}, nil)
			return err
		}},
		{"unwrapKey", func() error {
			_, err := client.UnwrapKey(ctx, "bench", version, azkeys.KeyOperationParameters{Algorithm: oaep, Value: wrapped}, nil)
			return err
		}},
		{"sign", func() error {
			_, err := client.Sign(ctx, "bench", version, azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmRS256), Value: secret}, nil)
			return err
		}},
	}
	for _, operation := range operations {
		var count atomic.Int64
		var group sync.WaitGroup
		begun := time.Now()
		for range workers {
			group.Add(1)
			go func() {
				defer group.Done()
				for time.Since(begun) < span {
					if err := operation.run(); err != nil {
						log.Fatal(err)
					}
					count.Add(1)
				}
			}()
		}
		group.Wait()
		fmt.Printf("%s %.0f\n", operation.name, float64(count.Load())/time.Since(begun).Seconds())
	}
}
