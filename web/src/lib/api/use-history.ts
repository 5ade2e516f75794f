import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { ApiError } from './client'
import { useApi } from './context'
import type { Change } from './history'
import { loadHistory } from './history'

/** A resource's revisions, the latest first, page by page. */
export function useHistory(path: string) {
  const api = useApi()
  return useInfiniteQuery({
    queryKey: ['history', path],
    queryFn: ({ pageParam, signal }) => loadHistory(api, path, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (page) => page.next || undefined,
    enabled: path !== '',
  })
}

/** The resource as it was at a revision; null when it was not there then. */
export function useMoment(path: string, revision: number | undefined) {
  const api = useApi()
  return useQuery({
    queryKey: ['moment', path, revision],
    queryFn: async ({ signal }) => {
      try {
        return await api.get<unknown>(path, { at: revision }, signal)
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }
    },
    enabled: revision !== undefined,
    staleTime: Infinity, // the past does not change
    placeholderData: (before) => before,
  })
}

/** What has changed between a revision and the latest. */
export function useChangesSince(path: string, from: number, to: number, enabled: boolean) {
  const api = useApi()
  return useQuery({
    queryKey: ['diff', path, from, to],
    queryFn: async ({ signal }) => (await api.get<{ changes?: Change[] }>(`${path}/diff`, { from, to }, signal)).changes ?? [],
    enabled,
    staleTime: Infinity,
  })
}
