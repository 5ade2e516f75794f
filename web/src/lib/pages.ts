import { useInfiniteQuery } from '@tanstack/react-query'
import type { Query } from './api/client'
import { useApi } from './api/context'

/** A list of the enveloped mount, page after page. */
export function usePages<T>(queryKey: unknown[], path: string, query: Query = {}, enabled = true) {
  const api = useApi()
  const pages = useInfiniteQuery({
    queryKey: [...queryKey, query],
    queryFn: ({ pageParam, signal }) => api.list<T>(path, { limit: 50, ...query, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => (page.hasMore ? page.nextCursor : undefined),
    enabled,
  })
  return { ...pages, items: pages.data?.pages.flatMap((page) => page.items) ?? [] }
}
