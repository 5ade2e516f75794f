import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'
import type { InspectedEvent, ParkedEvent, Projection } from '@/lib/api/projections'
import { rebuilding } from '@/lib/api/projections'

const root = '/api/v1/admin/projections'
const path = (name: string) => `${root}/${encodeURIComponent(name)}`

/** Everything that follows the log; watched closely while something is rebuilt. */
export function useProjections() {
  const api = useApi()
  return useQuery({
    queryKey: ['projections'],
    queryFn: async ({ signal }) => (await api.list<Projection>(root, { limit: 100 }, signal)).items,
    refetchInterval: (query) => (query.state.data?.some(rebuilding) ? 500 : 3_000),
  })
}

export function useParked(name: string) {
  const api = useApi()
  return useInfiniteQuery({
    queryKey: ['parked', name],
    queryFn: ({ pageParam, signal }) => api.list<ParkedEvent>(`${path(name)}/parked`, { limit: 100, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => (page.hasMore ? page.nextCursor : undefined),
    enabled: name !== '',
  })
}

export function useParkedEvent(name: string, position: number | undefined) {
  const api = useApi()
  return useQuery({
    queryKey: ['parked', name, position],
    queryFn: ({ signal }) => api.get<InspectedEvent>(`${path(name)}/parked/${position}`, undefined, signal),
    enabled: position !== undefined,
  })
}

/** What can be done to a projection. */
export function useProjectionCommands(name: string) {
  const api = useApi()
  const queries = useQueryClient()
  const onSettled = () =>
    Promise.all([queries.invalidateQueries({ queryKey: ['projections'] }), queries.invalidateQueries({ queryKey: ['parked', name] })])
  return {
    rebuild: useMutation({ mutationFn: (eventsPerSecond: number) => api.post<Projection>(`${path(name)}/rebuild`, { eventsPerSecond }), onSettled }),
    cancel: useMutation({ mutationFn: () => api.delete<Projection>(`${path(name)}/rebuild`), onSettled }),
    retry: useMutation({
      mutationFn: (stream: string) => api.post<{ applied: number; parked: number; failed: ParkedEvent[] }>(`${path(name)}/parked/retry`, stream ? { stream } : {}),
      onSettled,
    }),
    discard: useMutation({
      mutationFn: (what: { position?: number; stream?: string; reason: string }) => api.post<{ discarded: number; parked: number }>(`${path(name)}/parked/discard`, what),
      onSettled,
    }),
  }
}
