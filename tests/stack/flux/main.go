// Applies manifests as Flux's kustomize-controller does, with the libraries that it is made of, and prints each step as a line of JSON.
//
//	flux reconcile  --kustomization FILE --manifests FILE [--inventory FILE]
//	flux substitute --kustomization FILE --manifests FILE
//
// The Kustomization decides as in a cluster: prune, wait, timeout, healthCheckExprs, commonMetadata, targetNamespace and postBuild. Its
// source and its path are ignored; the manifests, built by `kubectl kustomize`, take their place. `reconcile` stores the applied objects in
// the inventory, and removes those of the inventory before that are gone. `substitute` prints the manifests after postBuild.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/cli-utils/pkg/object"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/yaml"
)

const (
	group         = "kustomize.toolkit.fluxcd.io"
	pollInterval  = 250 * time.Millisecond
	pruneTimeout  = 2 * time.Minute
	defaultWait   = time.Minute
	ssaAnnotation = group + "/ssa"
)

// kustomization holds the fields of Flux's Kustomization that decide how objects are applied.
type kustomization struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Prune            bool                              `json:"prune"`
		Wait             bool                              `json:"wait"`
		Timeout          *metav1.Duration                  `json:"timeout"`
		TargetNamespace  string                            `json:"targetNamespace"`
		HealthCheckExprs []fluxkustomize.CustomHealthCheck `json:"healthCheckExprs"`
		CommonMetadata   struct {
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"commonMetadata"`
	} `json:"spec"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "flux:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println("github.com/fluxcd/pkg/ssa v0.78.0")
		return nil
	}
	if len(os.Args) < 2 {
		return errors.New("expected reconcile, substitute or version")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ContinueOnError)
	kustomizationFile := flags.String("kustomization", "", "file with a Kustomization of Flux")
	manifestsFile := flags.String("manifests", "", "file with the objects")
	inventoryFile := flags.String("inventory", "", "file that holds the applied objects between runs")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	raw, err := os.ReadFile(*kustomizationFile)
	if err != nil {
		return err
	}
	var asked kustomization
	if err := yaml.Unmarshal(raw, &asked); err != nil {
		return fmt.Errorf("read %s: %w", *kustomizationFile, err)
	}
	objects, err := readObjects(*manifestsFile)
	if err != nil {
		return err
	}
	if objects, err = substitute(raw, objects); err != nil {
		return err
	}
	switch os.Args[1] {
	case "substitute":
		text, err := utils.ObjectsToYAML(objects)
		fmt.Print(text)
		return err
	case "reconcile":
		return reconcile(&asked, objects, *inventoryFile)
	default:
		return fmt.Errorf("unknown command %s; expected reconcile, substitute or version", os.Args[1])
	}
}

func readObjects(path string) ([]*unstructured.Unstructured, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return utils.ReadObjects(file)
}

// substitute replaces variables as postBuild asks. Values from ConfigMaps and Secrets are left out, so that no cluster is needed.
func substitute(rawKustomization []byte, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var asked unstructured.Unstructured
	if err := yaml.Unmarshal(rawKustomization, &asked.Object); err != nil {
		return nil, err
	}
	if _, found, _ := unstructured.NestedMap(asked.Object, "spec", "postBuild"); !found {
		return objects, nil
	}
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	var replaced []*unstructured.Unstructured
	for _, one := range objects {
		resource, err := factory.FromMap(one.Object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", utils.FmtUnstructured(one), err)
		}
		result, err := kustomize.SubstituteVariables(context.Background(), nil, asked, resource, kustomize.SubstituteWithDryRun(true))
		if err != nil {
			return nil, fmt.Errorf("post build failed for '%s': %w", one.GetName(), err)
		}
		if result == nil { // substitution is disabled for it
			replaced = append(replaced, one)
			continue
		}
		content, err := result.Map()
		if err != nil {
			return nil, err
		}
		replaced = append(replaced, &unstructured.Unstructured{Object: content})
	}
	return replaced, nil
}

func manager(asked *kustomization) (*ssa.ResourceManager, client.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, nil, err
	}
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, connection)
	if err != nil {
		return nil, nil, err
	}
	cluster, err := client.New(config, client.Options{Mapper: mapper})
	if err != nil {
		return nil, nil, err
	}
	var options polling.Options
	if len(asked.Spec.HealthCheckExprs) > 0 {
		reader, err := cel.NewStatusReader(asked.Spec.HealthCheckExprs)
		if err != nil {
			return nil, nil, fmt.Errorf("healthCheckExprs: %w", err)
		}
		options.CustomStatusReaders = []engine.StatusReader{reader(mapper)}
	}
	owner := ssa.Owner{Field: "kustomize-controller", Group: group}
	return ssa.NewResourceManager(cluster, polling.NewStatusPoller(cluster, mapper, options), owner), cluster, nil
}

// applyOptions returns what kustomize-controller passes for a Kustomization without force.
func applyOptions() ssa.ApplyOptions {
	options := ssa.DefaultApplyOptions()
	options.ExclusionSelector = map[string]string{group + "/reconcile": "disabled", ssaAnnotation: "Ignore"}
	options.IfNotPresentSelector = map[string]string{ssaAnnotation: "IfNotPresent"}
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{"kubectl.kubernetes.io/last-applied-configuration"},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "helm", OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{ssaAnnotation: "Merge"},
	}
	return options
}

func reconcile(asked *kustomization, objects []*unstructured.Unstructured, inventoryFile string) error {
	resources, cluster, err := manager(asked)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if namespace := asked.Spec.TargetNamespace; namespace != "" {
		for _, one := range objects {
			one.SetNamespace(namespace)
		}
	}
	utils.SetCommonMetadata(objects, asked.Spec.CommonMetadata.Labels, asked.Spec.CommonMetadata.Annotations)
	resources.SetOwnerLabels(objects, asked.Metadata.Name, asked.Metadata.Namespace)

	changes, err := resources.ApplyAllStaged(ctx, objects, applyOptions())
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	for _, change := range changes.Entries {
		say(map[string]any{"subject": change.Subject, "action": change.Action})
	}
	if err := prune(ctx, resources, asked, changes, inventoryFile); err != nil {
		return err
	}
	if !asked.Spec.Wait {
		return nil
	}
	timeout := defaultWait
	if asked.Spec.Timeout != nil {
		timeout = asked.Spec.Timeout.Duration
	}
	waiting := ssa.WaitOptions{Interval: pollInterval, Timeout: timeout, FailFast: true}
	if err := resources.WaitForSetWithContext(ctx, changes.ToObjMetadataSet(), waiting); err != nil {
		say(map[string]any{"health": "failed", "message": err.Error()})
		for _, one := range objects {
			sayStatus(ctx, cluster, one)
		}
		return nil
	}
	say(map[string]any{"health": "healthy"})
	return nil
}

// prune deletes what the inventory lists and was not applied any more, and stores the new inventory.
func prune(ctx context.Context, resources *ssa.ResourceManager, asked *kustomization, changes *ssa.ChangeSet, file string) error {
	if file == "" {
		return nil
	}
	type entry struct{ ID, Version string }
	var before, now []entry
	if text, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(text, &before); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
	} else if !os.IsNotExist(err) {
		return err
	}
	applied := map[string]bool{}
	for _, change := range changes.Entries {
		now = append(now, entry{ID: change.ObjMetadata.String(), Version: change.GroupVersion})
		applied[change.ObjMetadata.String()] = true
	}
	var stale []*unstructured.Unstructured
	for _, one := range before {
		if applied[one.ID] {
			continue
		}
		id, err := object.ParseObjMetadata(one.ID)
		if err != nil {
			return err
		}
		gone := &unstructured.Unstructured{}
		gone.SetGroupVersionKind(id.GroupKind.WithVersion(one.Version))
		gone.SetName(id.Name)
		gone.SetNamespace(id.Namespace)
		stale = append(stale, gone)
	}
	if asked.Spec.Prune && len(stale) > 0 {
		deleted, err := resources.DeleteAll(ctx, stale, ssa.DeleteOptions{
			PropagationPolicy: metav1.DeletePropagationBackground,
			Inclusions:        resources.GetOwnerLabels(asked.Metadata.Name, asked.Metadata.Namespace),
			Exclusions:        map[string]string{group + "/prune": "disabled", group + "/reconcile": "disabled"},
		})
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		for _, change := range deleted.Entries {
			say(map[string]any{"subject": change.Subject, "action": change.Action})
		}
		if err := resources.WaitForSetTermination(deleted, ssa.WaitOptions{Interval: pollInterval, Timeout: pruneTimeout}); err != nil {
			return fmt.Errorf("prune: %w", err)
		}
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// sayStatus prints the status of an object as kstatus computes it, with the message that tools show.
func sayStatus(ctx context.Context, cluster client.Client, one *unstructured.Unstructured) {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(one.GroupVersionKind())
	if err := cluster.Get(ctx, client.ObjectKeyFromObject(one), found); err != nil {
		say(map[string]any{"subject": utils.FmtUnstructured(one), "error": err.Error()})
		return
	}
	result, err := status.Compute(found)
	if err != nil {
		say(map[string]any{"subject": utils.FmtUnstructured(one), "error": err.Error()})
		return
	}
	say(map[string]any{"subject": utils.FmtUnstructured(one), "status": result.Status, "message": result.Message})
}

func say(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
