import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'

export interface Erasure {
  id: string
  subject: string
  scope: 'workspace' | 'organization'
  status: 'pending' | 'completed'
  reason?: string
  places: { name: string; erasedAt: string | null }[]
  events: number
  unsealedEvents: number
  requestedBy?: string
  createdAt: string
  completedAt: string | null
}

const path = '/api/v1/privacy/erasures'

/** Erasures, the latest first; watched closely while one is under way. */
export function useErasures() {
  const api = useApi()
  return useInfiniteQuery({
    queryKey: ['erasures'],
    queryFn: ({ pageParam, signal }) => api.list<Erasure>(path, { limit: 50, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => (page.hasMore ? page.nextCursor : undefined),
    refetchInterval: (query) => (query.state.data?.pages.some((page) => page.items.some((e) => e.status === 'pending')) ? 500 : false),
  })
}

export function useErase() {
  const api = useApi()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ subject, reason }: { subject: string; reason: string }) => api.post<Erasure>(path, { subject, ...(reason && { reason }) }),
    onSuccess: () => queries.invalidateQueries(),
  })
}
