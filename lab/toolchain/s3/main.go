// An S3 server in memory that verifies signatures: github.com/rclone/gofakes3, which rclone serves S3 with.
//
//	s3server ADDRESS KEY_ID BUCKET [CERTIFICATE KEY], the secret key is on standard input
package main

import (
	"bufio"
	"context"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func main() {
	address, id, bucket := os.Args[1], os.Args[2], os.Args[3]
	secret, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		log.Fatal(err)
	}
	store := s3mem.New()
	if err := store.CreateBucket(context.Background(), bucket); err != nil {
		log.Fatal(err)
	}
	server := gofakes3.New(store, gofakes3.WithV4Auth(map[string]string{id: strings.TrimSpace(secret)})).Server()
	if len(os.Args) > 4 {
		log.Fatal(http.ListenAndServeTLS(address, os.Args[4], os.Args[5], server))
	}
	log.Fatal(http.ListenAndServe(address, server))
}
