# One text, its verbs:
#   prepare  install and pin the packages, start the container runtime; needs no cluster and no secret. On a member:
#            only check it, because prepare runs on all nodes at once, and a change must reach one member first
#   apply    make this node a member of the cluster; on a member: check it, and put its pins and files right
#   keep     the same on a member, with changed settings of control plane and kubelet: it needs no secret
#   authority  on the first control plane: keep the authority's key in memory, for the apply that makes the cluster
#   snapshot  on the first control plane, before its upgrade: etcd's snapshot, whose path is printed
#   upgrade  the same on a member that is drained, with newer packages: kubeadm upgrades it, and its kubelet restarts
#   admit    on the first control plane: let nodes in for two hours, with the token of this run
#   upload   put the encrypted certificates into the cluster for two hours, for control planes
#   forget NODE …  on the first control plane: remove the members of etcd of these nodes, which are lost
#   remove   remove it from the cluster again; packages stay, without their pins
# Standard output is a JSON line, then one word: changed or unchanged.
# Exit: 0 done, 2 wrong use, 3 not fit (nothing was changed), 4 another run holds the lock, 5 a step failed.
# Secrets are in this text alone and go to files in memory, by builtins: no process has them among its arguments.
set -eu

node=osl-cp-1
kubernetes=1.36.3
role=first
ignored_checks=''
endpoint=198.51.100.10:6443
cri_socket=unix:///run/containerd/containerd.sock
ca_certificate='-----BEGIN CERTIFICATE-----
MIIBWjCCAQGgAwIBAgIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDAprdWJlcm5l
dGVzMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowFTETMBEGA1UEAwwK
a3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOsJxcOfQX78LOv9
MjqJ47B3phlKm+Kc85lOpsjn6BJafNvOc7fqHgriInVt4GPY1WuZKyyGFhO08ufd
LH6c1XGjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgGGMB0GA1Ud
DgQWBBQ+HAqSZTqbNP43TgYJrB2mH/RBkDAKBggqhkjOPQQDAgNHADBEAiBRGVQA
59bmBxzghcUttyOB+txgI2q43Yut/+Rtr23kuwIgDJiJrOjCtdYLweHOeUiDeNFb
mFPZrp/TEo9xT0FkYuU=
-----END CERTIFICATE-----'
containerd_package=containerd
containerd_config='version = 3
imports = ["/etc/containerd/conf.d/*.toml"]

[plugins.'"'"'io.containerd.cri.v1.images'"'"'.pinned_images]
  sandbox = "registry.k8s.io/pause:3.10.2"

[plugins.'"'"'io.containerd.cri.v1.images'"'"'.registry]
  config_path = "/etc/containerd/certs.d"

[plugins.'"'"'io.containerd.cri.v1.runtime'"'"'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'"'"'io.containerd.cri.v1.runtime'"'"'.containerd.runtimes.runc.options]
  SystemdCgroup = true'
networks='198.51.100.10:6443, 10.244.0.0/16, 10.96.0.0/16'
server=https://198.51.100.11:6443
api_server_files=/etc/kubernetes/vds-platform
renewal_timer=vds-platform-certificates.timer
ca_key=''
kubeadm_config='{
  "apiVersion": "kubeadm.k8s.io/v1beta4",
  "kind": "InitConfiguration",
  "bootstrapTokens": [
    {
      "description": "Joins the nodes of one run of vds-platform.",
      "ttl": "2h0m0s",
      "token": "abc123.0123456789abcdef"
    }
  ],
  "nodeRegistration": {
    "name": "osl-cp-1",
    "criSocket": "unix:///run/containerd/containerd.sock",
    "kubeletExtraArgs": [
      {
        "name": "node-ip",
        "value": "198.51.100.11"
      }
    ]
  },
  "localAPIEndpoint": {
    "advertiseAddress": "198.51.100.11",
    "bindPort": 6443
  },
  "certificateKey": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
  "skipPhases": [
    "addon/kube-proxy"
  ]
}
---
{
  "apiVersion": "kubeadm.k8s.io/v1beta4",
  "kind": "ClusterConfiguration",
  "clusterName": "oslo",
  "kubernetesVersion": "v1.36.3",
  "controlPlaneEndpoint": "198.51.100.10:6443",
  "imageRepository": "registry.k8s.io",
  "networking": {
    "podSubnet": "10.244.0.0/16",
    "serviceSubnet": "10.96.0.0/16"
  },
  "apiServer": {
    "extraArgs": [
      {
        "name": "admission-control-config-file",
        "value": "/etc/kubernetes/vds-platform/admission.json"
      },
      {
        "name": "audit-log-maxage",
        "value": "30"
      },
      {
        "name": "audit-log-maxbackup",
        "value": "10"
      },
      {
        "name": "audit-log-maxsize",
        "value": "100"
      },
      {
        "name": "audit-log-path",
        "value": "/var/log/kubernetes/audit/audit.log"
      },
      {
        "name": "audit-policy-file",
        "value": "/etc/kubernetes/vds-platform/audit-policy.json"
      },
      {
        "name": "authentication-config",
        "value": "/etc/kubernetes/vds-platform/authentication.json"
      },
      {
        "name": "enable-admission-plugins",
        "value": "NodeRestriction,DenyServiceExternalIPs,EventRateLimit"
      },
      {
        "name": "encryption-provider-config",
        "value": "/etc/kubernetes/vds-platform/encryption.json"
      },
      {
        "name": "encryption-provider-config-automatic-reload",
        "value": "true"
      },
      {
        "name": "profiling",
        "value": "false"
      },
      {
        "name": "service-account-extend-token-expiration",
        "value": "false"
      },
      {
        "name": "tls-cipher-suites",
        "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
      },
      {
        "name": "tls-min-version",
        "value": "VersionTLS12"
      }
    ],
    "extraVolumes": [
      {
        "name": "vds-platform",
        "hostPath": "/etc/kubernetes/vds-platform",
        "mountPath": "/etc/kubernetes/vds-platform",
        "readOnly": true,
        "pathType": "Directory"
      },
      {
        "name": "audit",
        "hostPath": "/var/log/kubernetes/audit",
        "mountPath": "/var/log/kubernetes/audit",
        "pathType": "DirectoryOrCreate"
      }
    ],
    "extraEnvs": [
      {
        "name": "VDS_PLATFORM_FILES",
        "value": "b20cd120dd9430ed2e5c9745c20ead4b2ff328c29549840b720492981b2d7256"
      }
    ],
    "certSANs": [
      "api.oslo.example.no"
    ]
  },
  "controllerManager": {
    "extraArgs": [
      {
        "name": "profiling",
        "value": "false"
      },
      {
        "name": "terminated-pod-gc-threshold",
        "value": "1000"
      },
      {
        "name": "tls-cipher-suites",
        "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
      },
      {
        "name": "tls-min-version",
        "value": "VersionTLS12"
      }
    ]
  },
  "scheduler": {
    "extraArgs": [
      {
        "name": "profiling",
        "value": "false"
      },
      {
        "name": "tls-cipher-suites",
        "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
      },
      {
        "name": "tls-min-version",
        "value": "VersionTLS12"
      }
    ]
  },
  "etcd": {
    "local": {
      "extraArgs": [
        {
          "name": "cipher-suites",
          "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
        },
        {
          "name": "tls-min-version",
          "value": "TLS1.2"
        }
      ]
    }
  },
  "proxy": {
    "disabled": true
  }
}
---
{
  "apiVersion": "kubelet.config.k8s.io/v1beta1",
  "kind": "KubeletConfiguration",
  "cgroupDriver": "systemd",
  "systemReserved": {
    "cpu": "100m",
    "memory": "256Mi",
    "ephemeral-storage": "1Gi"
  },
  "kubeReserved": {
    "cpu": "100m",
    "memory": "256Mi",
    "ephemeral-storage": "1Gi"
  },
  "authentication": {
    "anonymous": {
      "enabled": false
    },
    "webhook": {
      "enabled": true
    }
  },
  "authorization": {
    "mode": "Webhook"
  },
  "enableDebugFlagsHandler": false,
  "enableProfilingHandler": false,
  "podPidsLimit": 4096,
  "protectKernelDefaults": true,
  "readOnlyPort": 0,
  "seccompDefault": true,
  "tlsCipherSuites": [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
  ],
  "tlsMinVersion": "VersionTLS12"
}'
settings='[
 {
  "apiVersion": "kubelet.config.k8s.io/v1beta1",
  "authentication": {
   "anonymous": {
    "enabled": false
   },
   "webhook": {
    "enabled": true
   }
  },
  "authorization": {
   "mode": "Webhook"
  },
  "cgroupDriver": "systemd",
  "enableDebugFlagsHandler": false,
  "enableProfilingHandler": false,
  "kind": "KubeletConfiguration",
  "kubeReserved": {
   "cpu": "100m",
   "ephemeral-storage": "1Gi",
   "memory": "256Mi"
  },
  "podPidsLimit": 4096,
  "protectKernelDefaults": true,
  "readOnlyPort": 0,
  "seccompDefault": true,
  "systemReserved": {
   "cpu": "100m",
   "ephemeral-storage": "1Gi",
   "memory": "256Mi"
  },
  "tlsCipherSuites": [
   "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
   "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
   "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
   "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
   "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
   "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
  ],
  "tlsMinVersion": "VersionTLS12"
 },
 {
  "apiServer": {
   "certSANs": [
    "api.oslo.example.no"
   ],
   "extraArgs": [
    {
     "name": "admission-control-config-file",
     "value": "/etc/kubernetes/vds-platform/admission.json"
    },
    {
     "name": "audit-log-maxage",
     "value": "30"
    },
    {
     "name": "audit-log-maxbackup",
     "value": "10"
    },
    {
     "name": "audit-log-maxsize",
     "value": "100"
    },
    {
     "name": "audit-log-path",
     "value": "/var/log/kubernetes/audit/audit.log"
    },
    {
     "name": "audit-policy-file",
     "value": "/etc/kubernetes/vds-platform/audit-policy.json"
    },
    {
     "name": "authentication-config",
     "value": "/etc/kubernetes/vds-platform/authentication.json"
    },
    {
     "name": "enable-admission-plugins",
     "value": "NodeRestriction,DenyServiceExternalIPs,EventRateLimit"
    },
    {
     "name": "encryption-provider-config",
     "value": "/etc/kubernetes/vds-platform/encryption.json"
    },
    {
     "name": "encryption-provider-config-automatic-reload",
     "value": "true"
    },
    {
     "name": "profiling",
     "value": "false"
    },
    {
     "name": "service-account-extend-token-expiration",
     "value": "false"
    },
    {
     "name": "tls-cipher-suites",
     "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    },
    {
     "name": "tls-min-version",
     "value": "VersionTLS12"
    }
   ],
   "extraEnvs": [
    {
     "name": "VDS_PLATFORM_FILES",
     "value": "b20cd120dd9430ed2e5c9745c20ead4b2ff328c29549840b720492981b2d7256"
    }
   ],
   "extraVolumes": [
    {
     "hostPath": "/etc/kubernetes/vds-platform",
     "mountPath": "/etc/kubernetes/vds-platform",
     "name": "vds-platform",
     "pathType": "Directory",
     "readOnly": true
    },
    {
     "hostPath": "/var/log/kubernetes/audit",
     "mountPath": "/var/log/kubernetes/audit",
     "name": "audit",
     "pathType": "DirectoryOrCreate"
    }
   ]
  },
  "apiVersion": "kubeadm.k8s.io/v1beta4",
  "clusterName": "oslo",
  "controlPlaneEndpoint": "198.51.100.10:6443",
  "controllerManager": {
   "extraArgs": [
    {
     "name": "profiling",
     "value": "false"
    },
    {
     "name": "terminated-pod-gc-threshold",
     "value": "1000"
    },
    {
     "name": "tls-cipher-suites",
     "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    },
    {
     "name": "tls-min-version",
     "value": "VersionTLS12"
    }
   ]
  },
  "etcd": {
   "local": {
    "extraArgs": [
     {
      "name": "cipher-suites",
      "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
     },
     {
      "name": "tls-min-version",
      "value": "TLS1.2"
     }
    ]
   }
  },
  "imageRepository": "registry.k8s.io",
  "kind": "ClusterConfiguration",
  "networking": {
   "podSubnet": "10.244.0.0/16",
   "serviceSubnet": "10.96.0.0/16"
  },
  "proxy": {
   "disabled": true
  },
  "scheduler": {
   "extraArgs": [
    {
     "name": "profiling",
     "value": "false"
    },
    {
     "name": "tls-cipher-suites",
     "value": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    },
    {
     "name": "tls-min-version",
     "value": "VersionTLS12"
    }
   ]
  }
 }
]'

packages() {
	"$1" containerd '2.2.1-0ubuntu1~24.04.1'
	"$1" cri-tools 1.36.0-1.1
	"$1" kubeadm 1.36.3-1.1
	"$1" kubectl 1.36.3-1.1
	"$1" kubelet 1.36.3-1.1
	"$1" kubernetes-cni 1.8.0-1.1
}

files() {
	"$1" /etc/apt/keyrings/vds-platform-kubernetes.asc '-----BEGIN PGP PUBLIC KEY BLOCK-----

xv8AAAAmBGVT8QAb4ohfK749eosI4yi5q/HggkvrrZdiWzAOJGSaJWxsSEfN/wAA
AApyZXBvc2l0b3J5
-----END PGP PUBLIC KEY BLOCK-----'
	"$1" /etc/apt/sources.list.d/vds-platform-kubernetes.sources 'Types: deb
URIs: https://pkgs.k8s.io/core:/stable:/v1.36/deb/
Suites: /
Signed-By: /etc/apt/keyrings/vds-platform-kubernetes.asc'
	"$1" /etc/crictl.yaml 'runtime-endpoint: unix:///run/containerd/containerd.sock
image-endpoint: unix:///run/containerd/containerd.sock'
	"$1" /etc/kubernetes/vds-platform/admission.json '{
  "apiVersion": "apiserver.config.k8s.io/v1",
  "kind": "AdmissionConfiguration",
  "plugins": [
    {
      "name": "PodSecurity",
      "configuration": {
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {
          "enforce": "baseline",
          "audit": "restricted",
          "warn": "restricted",
          "enforce-version": "latest",
          "audit-version": "latest",
          "warn-version": "latest"
        },
        "exemptions": {
          "usernames": [],
          "runtimeClasses": [],
          "namespaces": [
            "kube-system"
          ]
        }
      }
    },
    {
      "name": "EventRateLimit",
      "configuration": {
        "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
        "kind": "Configuration",
        "limits": [
          {
            "type": "Server",
            "qps": 500,
            "burst": 5000
          },
          {
            "type": "Namespace",
            "qps": 50,
            "burst": 500,
            "cacheSize": 2000
          }
        ]
      }
    }
  ]
}'
	"$1" /etc/kubernetes/vds-platform/audit-policy.json '{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": [
    "RequestReceived"
  ],
  "rules": [
    {
      "level": "Metadata",
      "resources": [
        {
          "group": "",
          "resources": [
            "configmaps",
            "secrets",
            "serviceaccounts/token"
          ]
        },
        {
          "group": "authentication.k8s.io",
          "resources": [
            "tokenreviews"
          ]
        }
      ]
    },
    {
      "level": "None",
      "nonResourceURLs": [
        "/healthz*",
        "/livez*",
        "/readyz*",
        "/metrics",
        "/version"
      ]
    },
    {
      "level": "None",
      "resources": [
        {
          "group": "",
          "resources": [
            "events"
          ]
        },
        {
          "group": "events.k8s.io",
          "resources": [
            "events"
          ]
        }
      ]
    },
    {
      "level": "None",
      "userGroups": [
        "system:nodes"
      ],
      "resources": [
        {
          "group": "coordination.k8s.io",
          "resources": [
            "leases"
          ]
        }
      ]
    },
    {
      "level": "None",
      "userGroups": [
        "system:nodes"
      ],
      "verbs": [
        "get",
        "list",
        "watch"
      ]
    },
    {
      "level": "None",
      "users": [
        "system:apiserver",
        "system:kube-controller-manager",
        "system:kube-scheduler"
      ],
      "verbs": [
        "get",
        "list",
        "watch"
      ]
    },
    {
      "level": "None",
      "users": [
        "system:apiserver",
        "system:kube-controller-manager",
        "system:kube-scheduler"
      ],
      "resources": [
        {
          "group": "coordination.k8s.io",
          "resources": [
            "leases"
          ]
        }
      ]
    },
    {
      "level": "Metadata"
    }
  ]
}'
	"$1" /etc/kubernetes/vds-platform/authentication.json '{
  "apiVersion": "apiserver.config.k8s.io/v1",
  "kind": "AuthenticationConfiguration",
  "anonymous": {
    "enabled": true,
    "conditions": [
      {
        "path": "/healthz"
      },
      {
        "path": "/livez"
      },
      {
        "path": "/readyz"
      },
      {
        "path": "/api/v1/namespaces/kube-public/configmaps/cluster-info"
      }
    ]
  },
  "jwt": []
}'
	"$1" /usr/local/lib/vds-platform/renew-certificates.sh '# Renews the certificates that kubeadm made on this control plane and starts its static pods again, one after the other.
# A timer runs it once a day, at another hour on each control plane, so that never two of them start at once.
# Arguments: it does something if a certificate ends within so many days; the address of this node'"'"'s own API server,
# because the endpoint in front may lead to another one. A run that was interrupted is finished.
set -eu
LC_ALL=C PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

days=$1 server=$2
kubernetes=/etc/kubernetes
admin=$kubernetes/admin.conf
state=/var/lib/vds-platform-cluster
mark=$state/renewing
seconds=120 # until a container is there again, or the API server answers

fail() {
	echo "$*" >&2
	exit 1
}

end_within() { # seconds; is there one that ends? kubeadm renews no authority, and the kubelet renews its own
	for file in pki/apiserver.crt pki/apiserver-etcd-client.crt pki/apiserver-kubelet-client.crt pki/front-proxy-client.crt \
		pki/etcd/server.crt pki/etcd/peer.crt pki/etcd/healthcheck-client.crt \
		admin.conf super-admin.conf controller-manager.conf scheduler.conf; do
		file=$kubernetes/$file
		[ -e "$file" ] || continue
		case $file in
		*.conf) sed -n '"'"'s/^ *client-certificate-data: *//p'"'"' "$file" | base64 -d ;;
		*) cat "$file" ;;
		esac | openssl x509 -noout -checkend "$1" >/dev/null || return 0
	done
	return 1
}

running() { # name; its container: pods of others may have containers of the same name
	crictl ps --quiet --state Running --label io.kubernetes.pod.namespace=kube-system --name "^$1\$"
}

wait_until() { # what command …
	what=$1 tries=0
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt "$seconds" ] || fail "has renewed its certificates, and $what: read crictl logs and journalctl -u kubelet"
		sleep 1
	done
}

is_another() { # name, container that was stopped
	now=$(running "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

ask() { # path
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 5s get --raw "$1"
}

control_planes_are_ready() {
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 30s --namespace kube-system wait pod \
		--selector tier=control-plane --for condition=Ready --timeout 20s
}

[ -e "$mark" ] || end_within $((days * 86400)) || exit 0
exec 9<"$state" # the lock of member.sh: an upgrade restarts the same pods
flock -n 9 || fail "another run of vds-platform holds $state: it tries again tomorrow"
if [ ! -e "$mark" ]; then
	# With certificates that have ended, nothing answers any more, and there is nothing to spare.
	end_within 0 || control_planes_are_ready >/dev/null ||
		fail "does not renew its certificates, because pods of a control plane are not ready: correct that; it tries again tomorrow"
	: >"$mark"
fi
kubeadm certs renew all
! end_within $((days * 86400)) || fail "has certificates that kubeadm did not renew: run kubeadm certs check-expiration there"
for name in etcd kube-apiserver kube-controller-manager kube-scheduler; do
	before=$(running "$name")
	[ -z "$before" ] || crictl stop --timeout 30 "$before"
	wait_until "$name does not run" is_another "$name" "$before"
	wait_until "the API server does not answer" ask /readyz
done
rm -f "$mark"'
	"$1" /etc/systemd/system/vds-platform-certificates.service '[Unit]
Description=Renewal of certificates of Kubernetes'"'"' control plane (vds-platform)
ConditionPathExists=/etc/kubernetes/admin.conf

[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/lib/vds-platform/renew-certificates.sh 60 https://198.51.100.11:6443
TimeoutStartSec=1200'
	"$1" /etc/systemd/system/vds-platform-certificates.timer '[Unit]
Description=Renewal of certificates of Kubernetes'"'"' control plane (vds-platform)

[Timer]
OnCalendar=*-*-* 01:00:00 UTC

[Install]
WantedBy=timers.target'
}

secret_words() {
	"$1" abc123.0123456789abcdef
	"$1" 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
}

# Problems of a node: collected, so that all of them are reported at once. Needs node and problems.

complain() {
	problems="${problems}node $node: $*
"
}

stop_if_problems() { # exit status
	[ -z "$problems" ] || {
		printf '%s' "$problems" >&2
		exit "$1"
	}
}

state=/var/lib/vds-platform-cluster
run=/run/vds-platform-cluster
boot_seconds=300
sys=/sys
containerd_file=/etc/containerd/config.toml
pki=/etc/kubernetes/pki
admin=/etc/kubernetes/admin.conf
kubelet=/etc/kubernetes/kubelet.conf
authority=/run/vds-platform-authority.key # in memory
kubelet_config=/var/lib/kubelet/config.yaml
etcd_data=/var/lib/etcd
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

# --- messages --------------------------------------------------------------------------------------------

shown() { # standard input without lines that hold a secret
	while IFS= read -r text || [ -n "$text" ]; do
		hidden=no
		secret_words hides
		[ "$hidden" = yes ] || printf '%s\n' "$text"
	done
}

hides() { # word
	case $text in *"$1"*) hidden=yes ;; esac
}

telling() { # standard input without colours, and without the rows of kubeadm's table of the kernel that say: enabled
	escape=$(printf '\033')
	sed -e "s/$escape\[[0-9;]*m//g" -e '/^[A-Z][A-Z0-9_]*: *enabled/d'
}

quietly() { # what command …; its output is shown only if it fails
	what=$1 waited=0
	shift
	until "$@" >"$run/log" 2>&1 </dev/null; do
		case $1 in
		apt-*) # of apt's locks only one can be waited for by an option: not that of its lists
			if [ "$waited" -lt 120 ] && grep -q -e 'get lock' -e 'to lock' -e 'locked by another' "$run/log"; then
				sleep 2
				waited=$((waited + 2))
				continue
			fi
			;;
		esac
		telling <"$run/log" | tail -n 40 | shown >&2
		complain "$what failed, see above: correct it and run again"
		stop_if_problems 5
	done
}

# --- files -----------------------------------------------------------------------------------------------

save() { # path mode text; whole or not at all
	mkdir -p "${1%/*}"
	temporary=$1.new
	(umask 077 && printf '%s\n' "$3" >"$temporary")
	chmod "$2" "$temporary"
	sync "$temporary" 2>/dev/null || sync
	mv -f "$temporary" "$1"
	temporary=
}

keep_copy() { # path path; with owner and mode, whole or not at all
	temporary=$2.new
	cp -p "$1" "$temporary"
	sync "$temporary" 2>/dev/null || sync
	mv -f "$temporary" "$2"
	temporary=
}

differs() { # path text
	[ ! -e "$1" ] || [ "$(cat "$1")" != "$2" ]
}

put_file() { # path text
	if differs "$1" "$2"; then
		save "$1" 644 "$2"
		changed=changed
	fi
}

remove_file() { # path text
	rm -f "$1"
}

# --- preflight: everything that is wrong, at once, before any change -------------------------------------

preflight() {
	[ "$(id -u)" = 0 ] || complain "runs as $(id -un), but installing packages needs root: write ssh.user: root, or a" \
		"user whose sudo asks for no password"
	for tool in apt-get apt-mark curl dpkg dpkg-query flock sed swapon sync systemctl tail; do
		command -v "$tool" >/dev/null ||
			complain "lacks the tool $tool: install it (Debian or Ubuntu with systemd, and the package curl)"
	done
	[ "$role" = worker ] || command -v openssl >/dev/null || # the kubeconfig is read encrypted
		complain "lacks the tool openssl: install the package openssl"
}

preflight_apply() {
	if [ -e "$kubelet" ] && [ ! -e "$state/started" ]; then
		complain "is in a cluster that vds-platform did not make: write cluster.kind: existing, or remove it from" \
			"that cluster with kubeadm reset"
	fi
	packages judge_package
	judge_containerd
	if [ -e "$state/joined" ]; then
		[ ! -e "$pki/ca.crt" ] || ! differs "$pki/ca.crt" "$ca_certificate" ||
			complain "its cluster has another certificate authority than cluster.caCertificate: write the one of the cluster"
		[ ! -e "$state/networks" ] || ! differs "$state/networks" "$networks" ||
			complain "its cluster was made with endpoint, pod network and service network $(cat "$state/networks"), and" \
				"they can't change (now: $networks): write these again"
		return 0
	fi
	[ -z "$(swapon --noheadings --show)" ] ||
		complain "uses swap, and the kubelet does not start with it: run swapoff -a and remove swap from /etc/fstab"
	# A rebuilt server must not make a second cluster behind an endpoint that has one.
	if [ "$role" = first ] && [ ! -e "$state/started" ] &&
		curl --silent --insecure --max-time 5 --output /dev/null "https://$endpoint/version" </dev/null; then
		complain "should make a new cluster, but $endpoint answers already: put a control-plane node of that" \
			"cluster first in the stack file, or free the endpoint"
	fi
}

installed_version() { # package; sets installed, empty if it is not
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null) || installed=
	case $installed in
	'installed '*) installed=${installed#installed } ;;
	*) installed= ;;
	esac
}

judge_package() { # package version
	installed_version "$1"
	case $installed in "$2" | '') return 0 ;; esac
	if dpkg --compare-versions "$installed" gt "$2"; then
		complain "has $1 $installed, newer than $2: a downgrade is not possible; write the newer version"
	elif [ -e "$state/joined" ] && [ "$upgrades" = no ]; then
		complain "has $1 $installed, older than $2, and only an upgrade changes it, which drains the node first: run" \
			"pulumi up"
	fi
}

shipped() { # is the file as containerd's package brought it?
	sum=$(md5sum "$containerd_file")
	dpkg-query -W -f '${Conffiles}' "$containerd_package" 2>/dev/null | grep -q -F "$containerd_file ${sum%% *}"
}

judge_containerd() { # what somebody else wrote into its configuration is not lost without a word
	{ [ -e "$containerd_file" ] && differs "$containerd_file" "$containerd_config"; } || return 0
	if [ -e "$state/containerd-written" ]; then
		! differs "$containerd_file" "$(cat "$state/containerd-written")" || refuse_containerd "$(cat "$state/containerd-written")"
	else
		installed_version "$containerd_package"
		[ -z "$installed" ] || shipped || refuse_containerd "$containerd_config"
	fi
}

refuse_containerd() { # text that it should have
	printf '%s\n' "$1" | diff - "$containerd_file" | head -n 40 >&2 || :
	complain "has settings in $containerd_file that are not ours, see above: write registries to" \
		"/etc/containerd/certs.d/HOST/hosts.toml, other settings to /etc/containerd/conf.d (containerd 2), and delete the file"
}

# --- packages --------------------------------------------------------------------------------------------

missing_package() { # package version
	installed_version "$1"
	[ "$installed" = "$2" ] || missing="$missing $1=$2"
}

hold() { # package version
	case "
$held
" in
	*"
$1
"*) ;;
	*)
		quietly "apt-mark hold $1" apt-mark hold "$1"
		changed=changed
		;;
	esac
}

wait_for_first_boot() { # SSH answers while cloud-init still installs packages and writes files
	command -v cloud-init >/dev/null || return 0
	ended=0
	timeout "$boot_seconds" cloud-init status --wait >/dev/null 2>&1 </dev/null || ended=$?
	[ "$ended" != 124 ] || { # other codes are warnings of its own modules
		complain "has not ended its first boot within $boot_seconds s: read cloud-init status --long there, and run again"
		stop_if_problems 5
	}
}

fetch() { # what is missing
	if [ -n "$missing" ]; then
		wait_for_first_boot
		quietly 'apt-get update' apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update
		# shellcheck disable=SC2086  # split on purpose
		quietly "installing$missing" apt-get -q -y --no-install-recommends --allow-change-held-packages \
			-o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold install $missing
		changed=changed
	fi
}

install() {
	missing=
	packages missing_package
	fetch
	held=$(apt-mark showhold)
	packages hold
}

runtime() {
	if differs "$containerd_file" "$containerd_config"; then
		[ ! -e "$containerd_file" ] || [ -e "$state/containerd-before" ] ||
			keep_copy "$containerd_file" "$state/containerd-before" # it may hold a registry's password
		: >"$state/restart"
		put_file "$containerd_file" "$containerd_config"
	fi
	put_file "$state/containerd-written" "$containerd_config"
	if [ -n "$missing" ] || [ -e "$state/restart" ]; then # a run that was killed between the two restarts it now
		quietly 'starting containerd' systemctl restart containerd
		quietly 'enabling containerd and kubelet' systemctl enable containerd kubelet
		rm -f "$state/restart"
		changed=changed
	fi
}

# --- membership ------------------------------------------------------------------------------------------

configured() { # command …; it reads kubeadm's configuration from a pipe, so that no file has the token
	printf '%s\n' "$kubeadm_config" | "$@" --config /dev/stdin
}

reset() {
	quietly 'kubeadm reset' kubeadm reset --force --cri-socket "$cri_socket"
}

forget_network() { # what the CNI and kube-proxy leave, which kubeadm reset does not take away; a reboot takes the rest
	for path in /etc/cni/net.d/*cilium* /etc/cni/net.d/*calico* /etc/cni/net.d/*flannel*; do
		rm -rf "$path"
	done
	for path in "$sys"/class/net/cilium_* "$sys"/class/net/lxc_health "$sys"/class/net/lxc???????????? \
		"$sys"/class/net/cali* "$sys"/class/net/vxlan.calico "$sys"/class/net/flannel.1 "$sys"/class/net/kube-ipvs0; do
		[ ! -e "$path" ] || ip link delete "${path##*/}" >/dev/null 2>&1 </dev/null || : # its other end may be gone
	done
	# A program stays on an interface for as long as its link is pinned, or its filter is there.
	rm -rf "$sys/fs/bpf/cilium" "$sys"/fs/bpf/tc/globals/cilium_*
	for path in "$sys"/class/net/*; do
		for direction in ingress egress; do
			! tc filter show dev "${path##*/}" "$direction" 2>/dev/null </dev/null | grep -q cil_ ||
				tc filter delete dev "${path##*/}" "$direction" >/dev/null 2>&1 </dev/null || :
		done
	done
	for tables in iptables ip6tables; do
		rules=$("$tables-save" 2>/dev/null </dev/null) || continue
		case $rules in *KUBE-* | *CILIUM_* | *cali-*) ;; *) continue ;; esac
		printf '%s\n' "$rules" | grep -v -e KUBE- -e CILIUM_ -e cali- | "$tables-restore" >/dev/null 2>&1 || :
	done
}

has_node_object() {
	kubectl --kubeconfig "$kubelet" --request-timeout 5s get --raw "/api/v1/nodes/$node" >/dev/null 2>&1 </dev/null
}

wait_for_node_object() { # kubeadm join may end before the kubelet has made it, and the CNI's DaemonSet counts nodes
	tries=0
	until has_node_object; do
		tries=$((tries + 1))
		[ "$tries" -lt 120 ] || {
			complain "has joined, but its kubelet has not made a Node object: read journalctl -u kubelet there" \
				"and run again"
			stop_if_problems 5
		}
		sleep 1
	done
}

become_member() {
	if [ "$role" = first ] && [ ! -e "$authority" ]; then
		complain "should make a new cluster, and has no key of its authority: run pulumi up, which brings the key"
		stop_if_problems 3
	fi
	if [ -e "$state/restored" ] && [ -e "$state/started" ]; then
		complain "began to make the restored cluster and was interrupted: run vds restore again, which restores it anew"
		stop_if_problems 3
	fi
	[ ! -e "$state/started" ] || reset # half a member is none: kubeadm refuses to go on where it broke off
	save "$state/started" 644 "$role"
	if [ "$role" = first ]; then
		save "$pki/ca.crt" 644 "$ca_certificate"
		save "$pki/ca.key" 600 "$(cat "$authority")"
		rm -f "$authority"
		# etcd's folder is empty, or vds restore has made it from a snapshot.
		data_there=
		[ ! -e "$state/restored" ] || data_there=--ignore-preflight-errors=DirAvailable--var-lib-etcd
		quietly 'kubeadm init' configured kubeadm init --skip-token-print ${data_there:+"$data_there"}
	else
		quietly 'kubeadm join' configured kubeadm join
		wait_for_node_object
	fi
	with_settings
	renews
	save "$state/networks" 644 "$networks"
	save "$state/joined" 644 "$role"
	[ ! -e "$state/restored" ] || mv "$state/restored" "$state/restored-from"
	changed=changed
}

# --- settings of control plane and kubelet, on a member --------------------------------------------------

api_server_answers() {
	kubectl --kubeconfig "$admin" --server "$server" --request-timeout 5s get --raw /readyz >/dev/null 2>&1 </dev/null
}

kubelet_answers() {
	curl --silent --fail --max-time 5 --output /dev/null http://127.0.0.1:10248/healthz </dev/null
}

wait_for() { # what command
	tries=0
	until "$2"; do
		tries=$((tries + 1))
		[ "$tries" -lt 120 ] || {
			complain "has changed, and $1 does not answer: read journalctl -u kubelet and crictl logs there, correct" \
				"the stack file and run again"
			stop_if_problems 5
		}
		sleep 1
	done
}

close_files() {
	chmod 600 "$kubelet_config" # kubeadm writes it for everybody to read
	[ "$role" = worker ] || chmod 700 "$etcd_data" # kubeadm does it only where it makes the folder
}

with_settings() { # this member has the settings of the stack file
	close_files
	save "$state/settings" 644 "$settings"
}

# The first control plane is kept before the others: it changes the cluster's settings, and each member takes them. What
# kubeadm starts again it waits for, and it puts the old manifest back if that fails.
reconfigure() {
	differs "$state/settings" "$settings" || return 0
	if [ "$role" = first ]; then
		quietly 'changing the settings of the cluster' configured kubeadm init phase upload-config all
	fi
	if [ "$role" != worker ]; then
		quietly 'changing the settings of the control plane' kubeadm upgrade node phase control-plane \
			--certificate-renewal=false --etcd-upgrade=false
		wait_for 'its API server' api_server_answers
	fi
	quietly 'changing the settings of the kubelet' kubeadm upgrade node phase kubelet-config
	quietly 'starting the kubelet' systemctl restart kubelet
	wait_for 'its kubelet' kubelet_answers
	with_settings
	changed=changed
}

# --- upgrade of a member, which is drained ---------------------------------------------------------------

a_tool() { # package version; what may be newer than the kubelet before the control plane is
	case $1 in kubeadm | kubectl | cri-tools) missing_package "$@" ;; esac
}

of_kubernetes() { # package version
	case $1 in kubeadm | kubelet) missing_package "$@" ;; esac
}

# A kubelet may not be newer than its API server, so its package comes after the control plane.
upgrade_kubernetes() {
	save "$state/upgrading" 644 "$kubernetes"
	missing=
	packages a_tool
	fetch
	if [ "$role" = first ]; then
		quietly 'kubeadm upgrade apply' kubeadm upgrade apply "v$kubernetes" --yes \
			${ignored_checks:+"--ignore-preflight-errors=$ignored_checks"}
	else
		quietly 'kubeadm upgrade node' kubeadm upgrade node ${ignored_checks:+"--ignore-preflight-errors=$ignored_checks"}
	fi
}

in_etcd() { # what command …; a program of etcd's image, with the certificate of this member
	what=$1
	shift
	# Pods of others may have a container of that name.
	etcd=$(crictl ps --quiet --state Running --label io.kubernetes.pod.namespace=kube-system --name '^etcd$' \
		</dev/null) || etcd=
	quietly "$what" crictl exec "$etcd" "$@"
}

on_etcd() { # what command …; of etcdctl
	asked=$1
	shift
	in_etcd "$asked" etcdctl --endpoints https://127.0.0.1:2379 --cacert "$pki/etcd/ca.crt" --cert "$pki/etcd/server.crt" \
		--key "$pki/etcd/server.key" "$@"
}

# Before the first control plane is upgraded, where no backup is configured. One snapshot stays on the node.
snapshot() {
	only_a_member
	check
	lock
	made=$etcd_data/vds-platform-snapshot.db # etcd's container can write there
	rm -f "$made" "$made.part"
	on_etcd "taking a snapshot of etcd" snapshot save "$made"
	in_etcd "reading the snapshot of etcd" etcdutl snapshot status "$made"
	chmod 600 "$made"
	rm -f "$state"/etcd-before-*.db
	mv -f "$made" "$state/etcd-before-$kubernetes.db"
	printf '%s\n' "$state/etcd-before-$kubernetes.db"
}

upgrade() {
	only_a_member
	check
	lock
	files put_file
	missing=
	packages of_kubernetes
	if [ -n "$missing" ] || [ -e "$state/upgrading" ]; then
		upgrade_kubernetes
	fi
	install
	runtime
	close_files
	quietly 'starting the kubelet' systemctl restart kubelet
	[ "$role" = worker ] || wait_for 'its API server' api_server_answers
	wait_for 'its kubelet' kubelet_answers
	rm -f "$state/upgrading"
	changed=changed
	tell
}

# --- verbs -----------------------------------------------------------------------------------------------

lock() { # the folder is the lock: nothing is left behind by a run that is killed
	exec 9<"$state"
	flock -w 20 9 || {
		complain "another run of vds-platform holds $state: wait for it to end, or end it"
		stop_if_problems 4
	}
	private=$run # only who holds the lock takes it away again
	rm -rf "$run"
	mkdir -m 700 "$run"
}

check() {
	preflight
	stop_if_problems 3
	preflight_apply
	stop_if_problems 3
}

renews() { # a control plane renews its certificates by a timer
	[ "$role" != worker ] || return 0
	units=$(cat "/etc/systemd/system/${renewal_timer%.timer}.service" "/etc/systemd/system/$renewal_timer")
	differs "$state/renewal" "$units" || return 0
	quietly 'reading its units' systemctl daemon-reload
	quietly 'enabling the renewal of certificates' systemctl enable "$renewal_timer"
	quietly 'starting the renewal of certificates' systemctl restart "$renewal_timer"
	save "$state/renewal" 644 "$units"
	changed=changed
}

put_in_place() { # files, packages and the container runtime
	mkdir -p "$state"
	lock
	files put_file
	install
	runtime
}

prepare() { # on a member: its upgrade comes after this
	check
	[ -e "$state/joined" ] || put_in_place
	printf '%s\n' "$changed"
}

apply() {
	[ "$role" != first ] || used=$authority
	check
	put_in_place
	[ -e "$state/joined" ] || become_member
	tell
}

tell() {
	printf '{"node": "%s", "role": "%s", "kubernetes": "%s"}\n' "$node" "$role" "$(kubeadm version --output short)"
	printf '%s\n' "$changed"
}

only_a_member() {
	[ -e "$state/joined" ] || {
		complain "is no member of the cluster any more: remove it from the stack file, run pulumi up, and add it again;" \
			"if all control planes are lost, run vds restore"
		stop_if_problems 3
	}
}

keep() {
	only_a_member
	check
	put_in_place
	reconfigure
	renews
	tell
}

admit() { # the token is drawn for one run: no other run lets it in again
	only_a_member
	check
	lock
	quietly 'kubeadm token create' configured kubeadm token create --kubeconfig "$admin"
	printf 'changed\n'
}

forget() { # node …; a lost one: beside a member of etcd that does not answer, kubeadm lets no control plane join
	only_a_member
	check
	lock
	on_etcd "asking for etcd's members" member list
	members=$(cat "$run/log")
	for lost; do
		while IFS=, read -r id _ name _; do
			[ "${name# }" = "$lost" ] && [ "$lost" != "$node" ] || continue
			on_etcd "removing $lost from etcd" member remove "$id"
			changed=changed
		done <<-END
			$members
		END
	done
	printf '%s\n' "$changed"
}

upload() {
	only_a_member
	check
	lock
	quietly 'uploading the certificates' configured kubeadm init phase upload-certs --upload-certs \
		--skip-certificate-key-print
	printf 'changed\n'
}

take_authority() {
	check
	save "$authority" 600 "$ca_key"
	printf 'changed\n'
}

release() { # package version
	installed_version "$1"
	[ -z "$installed" ] || quietly "apt-mark unhold $1" apt-mark unhold "$1"
}

remove() {
	preflight
	stop_if_problems 3
	if [ -d "$state" ]; then
		lock
		if [ -e "$state/started" ]; then
			reset
			forget_network
		fi
		packages release
		[ ! -e "$state/renewal" ] ||
			quietly 'stopping the renewal of certificates' systemctl disable --now "$renewal_timer"
		files remove_file
		if [ -e "$state/containerd-before" ]; then
			keep_copy "$state/containerd-before" "$containerd_file"
		else
			rm -f "$containerd_file"
		fi
		rm -rf "$state" "$api_server_files"
		changed=changed
	fi
	printf '%s\n' "$changed"
}

main() {
	LC_ALL=C PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
	export LC_ALL PATH
	umask 022
	upgrades=no problems='' changed=unchanged temporary='' private='' missing='' used=''
	trap 'rm -rf ${temporary:+"$temporary"} ${private:+"$private"} ${used:+"$used"}' EXIT
	trap 'exit 143' HUP INT TERM
	case ${1:-apply} in
	prepare | snapshot | upgrade) upgrades=yes ;;
	esac
	case ${1:-apply} in
	prepare) prepare ;;
	snapshot) snapshot ;;
	upgrade) upgrade ;;
	apply) apply ;;
	keep) keep ;;
	admit) admit ;;
	upload) upload ;;
	forget)
		shift
		forget "$@"
		;;
	authority) take_authority ;;
	remove) remove ;;
	*)
		printf 'use: sh -s prepare|apply|keep|snapshot|upgrade|admit|upload|forget|authority|remove\n' >&2
		exit 2
		;;
	esac
}

main "$@"
