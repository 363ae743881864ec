// Package ext is Traefik's extension point for builds with further middlewares; this build has none.
package ext

// HTTP would hold extra HTTP middlewares.
type HTTP struct{}

// Router would hold extra router options.
type Router struct{}
