// Which rights pods and containers have that they do not need: the restricted pod security standard, and more.
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'

export const containerRights = (where: string, container: IContainer): string[] => {
  const { securityContext: rights, resources } = container
  const rules: [boolean, string][] = [
    [rights?.allowPrivilegeEscalation === false, 'may escalate its privileges'],
    [rights?.readOnlyRootFilesystem === true, 'may write to its root file system'],
    [rights?.privileged !== true, 'is privileged'],
    [rights?.capabilities?.drop?.includes('ALL') === true && !rights.capabilities.add, 'keeps capabilities'],
    [
      resources?.requests?.cpu !== undefined && resources.requests.memory !== undefined,
      'requests no processor or memory',
    ],
    [resources?.limits?.memory !== undefined, 'has no limit on its memory'],
  ]
  return rules.filter(([kept]) => !kept).map(([, what]) => `${where}: ${what}`)
}

export const podRights = (where: string, spec: IPodSpec): string[] => {
  const rights = spec.securityContext
  const rules: [boolean, string][] = [
    [rights?.runAsNonRoot === true && (rights.runAsUser ?? 0) > 0, 'may run as root'],
    [rights?.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile'],
    [spec.automountServiceAccountToken === false, 'has a token for the Kubernetes API'],
    [spec.enableServiceLinks === false, 'is given variables for every Service'],
    [!spec.hostNetwork && !spec.hostPID && !spec.hostIPC, 'shares namespaces with its node'],
    [
      (spec.volumes ?? []).every(({ emptyDir }) => emptyDir?.sizeLimit),
      'has a volume that is no emptyDir with a limit',
    ],
  ]
  return rules.filter(([kept]) => !kept).map(([, what]) => `${where}: ${what}`)
}
