// The cases of Cyclonus as data: the objects that it makes, and for each step of a case what it changes and which
// connections its own model allows. Cyclonus' `generate` tries each connection with a `kubectl exec` of its own, which
// takes a minute a case on two cores; the lab tries them from the pods' networks at once.
//
//	cyclonus-cases PROTOCOLS TAGS EXCLUDED <ADDRESSES, a JSON object of `namespace/pod` to the pod's address
package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/mattfenwick/cyclonus/pkg/utils"
	"github.com/sirupsen/logrus"
	v1 "k8s.io/api/core/v1"
)

type connection struct {
	From, To, Protocol string
	Port               int
	Allowed            bool
}

type step struct {
	Actions     []*generator.Action
	Connections []connection
}

type testCase struct {
	Name  string
	Tags  []string
	Steps []step
}

type output struct {
	Namespaces map[string]map[string]string
	Pods       []*v1.Pod
	Services   []*v1.Service
	Cases      []testCase
}

var (
	namespaces = []string{"x", "y", "z"}
	pods       = []string{"a", "b", "c"}
	ports      = []int{80, 81}
)

// Cyclonus takes the addresses of pods from a cluster; this is one without a cluster.
func resources(protocols []v1.Protocol, addresses map[string]string) (*kube.MockKubernetes, *probe.Resources) {
	mock := kube.NewMockKubernetes(1)
	made, err := probe.NewDefaultResources(mock, namespaces, pods, ports, protocols, nil, 5, false, "registry.k8s.io")
	utils.DoOrDie(err)
	for _, pod := range made.Pods {
		if address, given := addresses[pod.PodString().String()]; given {
			pod.IP = address
		}
	}
	return mock, made
}

func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func main() {
	out := os.Stdout
	os.Stdout = os.Stderr // Cyclonus prints while it computes
	logrus.SetLevel(logrus.ErrorLevel)
	protocols := []v1.Protocol{}
	for _, name := range split(os.Args[1]) {
		protocols = append(protocols, v1.Protocol(name))
	}
	addresses := map[string]string{}
	utils.DoOrDie(json.NewDecoder(os.Stdin).Decode(&addresses))
	_, made := resources(protocols, addresses)
	found := output{Namespaces: map[string]map[string]string{}}
	for _, name := range namespaces {
		found.Namespaces[name] = map[string]string{"ns": name}
	}
	for _, pod := range made.Pods {
		found.Pods = append(found.Pods, pod.KubePod())
		found.Services = append(found.Services, pod.KubeService())
	}
	included, excluded := split(os.Args[2]), split(os.Args[3])
	utils.DoOrDie(generator.ValidateTags(append(append([]string{}, included...), excluded...)))
	last, err := made.GetPod("z", "c") // the pod whose address is in rules with an ipBlock
	utils.DoOrDie(err)
	cases := generator.NewTestCaseGenerator(true, last.IP, namespaces, included, excluded).GenerateTestCases()
	for _, one := range cases {
		found.Cases = append(found.Cases, computed(one, protocols, addresses))
	}
	utils.DoOrDie(json.NewEncoder(out).Encode(found))
}

func computed(one *generator.TestCase, protocols []v1.Protocol, addresses map[string]string) testCase {
	mock, made := resources(protocols, addresses)
	config := &connectivity.InterpreterConfig{ResetClusterBeforeTestCase: true}
	result := connectivity.NewInterpreter(mock, made, config).ExecuteTestCase(one)
	utils.DoOrDie(result.Err)
	row := testCase{Name: one.Description, Tags: one.Tags.Keys()}
	for at, of := range one.Steps {
		row.Steps = append(row.Steps, step{of.Actions, connections(result.Steps[at].SimulatedProbe)})
	}
	return row
}

// What the model decides. A port that a pod does not serve is not tried by Cyclonus either.
func connections(table *probe.Table) []connection {
	var found []connection
	for _, key := range table.Wrapped.Keys() {
		for _, result := range table.Get(key.From, key.To).JobResults {
			if result.Combined == probe.ConnectivityAllowed || result.Combined == probe.ConnectivityBlocked {
				found = append(found, connection{
					From:     key.From,
					To:       key.To,
					Protocol: string(result.Job.Protocol),
					Port:     result.Job.ResolvedPort,
					Allowed:  result.Combined == probe.ConnectivityAllowed,
				})
			}
		}
	}
	return found
}
