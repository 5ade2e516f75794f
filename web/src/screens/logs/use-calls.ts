import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { Call } from '@/lib/api/calls'
import { toCall } from '@/lib/api/calls'
import { useApi } from '@/lib/api/context'
import type { Range } from '@/lib/time-range'
import { resolve } from '@/lib/time-range'

/** The filters of the log, as they stand in the page's query and in the API's. */
export const filterKeys = ['model', 'status', 'type', 'user', 'tag', 'correlation_id'] as const
export type Filters = Partial<Record<(typeof filterKeys)[number], string>>

const pageSize = 50

interface LogPage {
  calls: Call[]
  hasMore: boolean
  page: number
  /** The range's end as it was when the first page was read: later pages must not shift under new calls. */
  end: number
}

/** The log in pages, newest first. It refreshes itself while only the first page is shown. */
export function useCalls(range: Range, filters: Filters, live: boolean) {
  const api = useApi()
  const result = useInfiniteQuery({
    queryKey: ['calls', range, filters],
    initialPageParam: { page: 1, end: 0 },
    queryFn: async ({ pageParam, signal }): Promise<LogPage> => {
      const span = resolve(range, Date.now())
      const end = pageParam.end || span.end
      const list = await api.list<Record<string, unknown>>(
        '/v1/inference-logs',
        {
          ...filters,
          start_date: new Date(span.start).toISOString(),
          end_date: new Date(end).toISOString(),
          page: pageParam.page,
          page_size: pageSize,
        },
        signal,
      )
      return { calls: list.items.map(toCall), hasMore: list.hasMore, page: pageParam.page, end }
    },
    getNextPageParam: (last) => (last.hasMore ? { page: last.page + 1, end: last.end } : undefined),
    refetchInterval: (query) => (live && (query.state.data?.pages.length ?? 1) <= 1 ? 3_000 : false),
  })
  const seen = new Set<string>()
  const calls = (result.data?.pages ?? [])
    .flatMap((page) => page.calls)
    .filter((call) => !seen.has(call.id) && seen.add(call.id))
  return { ...result, calls }
}

/** One call with its payloads. */
export function useCall(id: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['call', id],
    queryFn: async ({ signal }) => toCall(await api.get(`/v1/inference-logs/${encodeURIComponent(id)}`, undefined, signal)),
    enabled: id !== '',
    staleTime: 60_000,
  })
}
