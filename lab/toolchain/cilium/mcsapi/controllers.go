// Package controllers has the one name of sigs.k8s.io/mcs-api/controllers that Cilium uses: no module proxy has it.
package controllers

// DerivedServiceAnnotation names, on a ServiceImport, the Service that was made for it.
const DerivedServiceAnnotation = "multicluster.kubernetes.io/derived-service"
