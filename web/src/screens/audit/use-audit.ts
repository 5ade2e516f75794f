import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'

export interface AuditLog {
  id: string
  timestamp: string
  actorId: string
  actorType: string
  action: string
  resourceType: string
  resourceId: string
  revision: number
  position: number
  hash: string
  prevHash: string
  changes?: Record<string, { op: 'add' | 'remove' | 'replace'; before?: unknown; after?: unknown }>
}

export interface Verification {
  valid: boolean
  chain: string
  checked: number
  firstBrokenId?: string
  firstBrokenPosition?: number
  reason?: string
  detail?: string
  head: string
  position: number
  removed: number
}

export type Scope = 'workspace' | 'organization'

export interface AuditFilter {
  scope: Scope
  action: string
  actorId: string
  resourceId: string
}

export function useAuditLogs(filter: AuditFilter) {
  const api = useApi()
  return useInfiniteQuery({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam, signal }) => api.list<AuditLog>('/api/v1/audit/logs', { ...filter, limit: 50, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => (page.hasMore ? page.nextCursor : undefined),
  })
}

export function useAuditLog(scope: Scope, id: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['audit', scope, id],
    queryFn: ({ signal }) => api.get<AuditLog>(`/api/v1/audit/logs/${encodeURIComponent(id)}`, { scope }, signal),
    enabled: id !== '',
    staleTime: Infinity,
  })
}

export function useVerify() {
  const api = useApi()
  return useMutation({ mutationFn: (scope: Scope) => api.get<Verification>('/api/v1/audit/verify', { scope }) })
}

export function useExport() {
  const api = useApi()
  return useMutation({
    mutationFn: async ({ filter, format }: { filter: AuditFilter; format: 'csv' | 'jsonl' }) => {
      const file = await api.download('/api/v1/audit/export', { ...filter, format })
      const link = document.createElement('a')
      link.href = URL.createObjectURL(file)
      link.download = `audit-${new Date().toISOString().slice(0, 10)}.${format}`
      link.click()
      URL.revokeObjectURL(link.href)
    },
  })
}
