// Everything that the inventory service needs on Azure Container Apps. Deployed twice at first: without `image` for the registry,
// then, when the image is in it, with it. Later revisions are the business of `rollout`; deploy this file again only when
// infrastructure changes, with `stableRevision` naming the revision that has the traffic.
//
// Checked offline by published types (deploy/check/bicep.py). It was never compiled by `bicep`, nor deployed.

@description('Name of the app; the label names below and the jobs derive from it')
@maxLength(20)
param name string = 'inventory'

param location string = resourceGroup().location

@description('Image to run, such as myregistry.azurecr.io/stocktake:1f2e3d4. Empty: registry, environment and identity alone')
param image string = ''

@description('End of the name of the revision that this deployment makes, such as the short commit id')
param revisionSuffix string = 'first'

@description('Revision that keeps all traffic while the new one waits under the label green. Empty: the first deployment')
param stableRevision string = ''

// The next six are what `stocktake capacity` prints for a .bicepparam file.

@description('Replicas that are always there. 0: the first caller after a pause waits for a start, and state in memory is gone')
@minValue(0)
param minReplicas int = 1

@description('While state is in memory a second replica is a second inventory: more than 1 only with a store that replicas share')
@minValue(1)
param maxReplicas int = 1

@description('Load of a replica above which there is one more, as the platform counts it; it acts once there may be more than one')
@minValue(1)
param httpConcurrency int = 50

@description('CPU cores of a replica, a text because Bicep has no fractions')
param cpu string = '0.5'

@description('Memory of a replica; on the consumption plan twice its cores, in Gi')
param memory string = '1Gi'

@description('Seconds that a replica has to end once it is told to: longer than `serve --drain`, so that calls under way end by themselves')
@minValue(0)
@maxValue(600)
param gracePeriod int = 60

@secure()
@description('Content of the token file of `stocktake serve`: lines of `read-only TOKEN` or `read-write TOKEN`')
param tokens string

@secure()
@description('One of these tokens, with which the jobs call')
param jobToken string

var withApp = !empty(image)
var firstTime = empty(stableRevision)
// The role AcrPull, which has this id everywhere.
var acrPull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: '${replace(name, '-', '')}${uniqueString(resourceGroup().id)}'
  location: location
  sku: { name: 'Basic' }
  properties: {
    // Images are pulled by the identity below; there is no password.
    adminUserEnabled: false
  }
}

// User-assigned: a system identity does not exist yet when the first image is pulled.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-pull'
  location: location
}

resource mayPull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, 'AcrPull')
  scope: registry
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: acrPull
  }
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: '${name}-env'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs.properties.customerId
        sharedKey: logs.listKeys().primarySharedKey
      }
    }
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
  }
}

resource app 'Microsoft.App/containerApps@2025-01-01' = if (withApp) {
  name: name
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      // Two revisions at once, or nothing could be verified before it has traffic.
      activeRevisionsMode: 'Multiple'
      maxInactiveRevisions: 5
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          name: 'tokens'
          value: tokens
        }
      ]
      ingress: {
        external: true
        // Not auto: that speaks HTTP/1.1 to the container, and every gRPC call ends UNAVAILABLE.
        transport: 'http2'
        targetPort: 50051
        allowInsecure: false
        clientCertificateMode: 'ignore'
        // A label on a revision that does not exist yet is refused, so the first deployment has none.
        traffic: firstTime ? [
          {
            latestRevision: true
            weight: 100
          }
        ] : [
          {
            revisionName: stableRevision
            label: 'blue'
            weight: 100
          }
          {
            revisionName: '${name}--${revisionSuffix}'
            label: 'green'
            weight: 0
          }
        ]
      }
    }
    template: {
      revisionSuffix: revisionSuffix
      terminationGracePeriodSeconds: gracePeriod
      containers: [
        {
          name: 'serve'
          image: image
          args: [ 'serve' ]
          env: [
            {
              name: 'STOCKTAKE_TOKENS'
              value: '/secrets/tokens'
            }
            {
              name: 'STOCKTAKE_DRAIN'
              value: '30s'
            }
          ]
          resources: {
            cpu: json(cpu)
            memory: memory
          }
          volumeMounts: [
            {
              volumeName: 'secrets'
              mountPath: '/secrets'
            }
          ]
          // HTTP probes go to the second port, which ingress does not expose and which asks for no token.
          probes: [
            {
              type: 'Startup'
              tcpSocket: { port: 50051 }
              periodSeconds: 1
              failureThreshold: 30
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/readyz'
                port: 9090
              }
              periodSeconds: 5
              failureThreshold: 3
            }
            {
              type: 'Liveness'
              httpGet: {
                path: '/livez'
                port: 9090
              }
              periodSeconds: 10
              failureThreshold: 3
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'secrets'
          storageType: 'Secret'
          secrets: [
            {
              secretRef: 'tokens'
              path: 'tokens'
            }
          ]
        }
      ]
      scale: {
        minReplicas: minReplicas
        maxReplicas: maxReplicas
        rules: [
          {
            name: 'http'
            http: {
              metadata: { concurrentRequests: string(httpConcurrency) }
            }
          }
        ]
      }
    }
  }
  dependsOn: [ mayPull ]
}

// Both jobs judge from inside the region: `az containerapp job start`. A job has one execution of one replica, because replicas
// of a job have no index, and each would send the whole load.
resource verifyJob 'Microsoft.App/jobs@2025-01-01' = if (withApp) {
  name: '${name}-verify'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Manual'
      replicaTimeout: 1800
      // A verdict is not retried.
      replicaRetryLimit: 0
      manualTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
      }
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          name: 'token'
          value: jobToken
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'verify'
          image: image
          args: [ 'verify', 'https://${name}---green.${environment.properties.defaultDomain}', '--read-only', '--wait', '60s', '--out', '/tmp/run' ]
          env: [
            {
              name: 'STOCKTAKE_TOKEN_ENV'
              value: 'TOKEN'
            }
            {
              name: 'TOKEN'
              secretRef: 'token'
            }
          ]
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
        }
      ]
    }
  }
  dependsOn: [ mayPull ]
}

resource loadJob 'Microsoft.App/jobs@2025-01-01' = if (withApp) {
  name: '${name}-load'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Manual'
      replicaTimeout: 1800
      replicaRetryLimit: 0
      manualTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
      }
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          name: 'token'
          value: jobToken
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'load'
          image: image
          args: [ 'load', 'https://${name}.${environment.properties.defaultDomain}', '--workload', '/workloads/read.yaml', '--rate', '50', '--out', '/tmp/run' ]
          env: [
            {
              name: 'STOCKTAKE_TOKEN_ENV'
              value: 'TOKEN'
            }
            {
              name: 'TOKEN'
              secretRef: 'token'
            }
          ]
          resources: {
            // The generator needs headroom, or it measures itself.
            cpu: json('1.0')
            memory: '2Gi'
          }
        }
      ]
    }
  }
  dependsOn: [ mayPull ]
}

output registryServer string = registry.properties.loginServer
output url string = 'https://${name}.${environment.properties.defaultDomain}'
output greenUrl string = 'https://${name}---green.${environment.properties.defaultDomain}'
