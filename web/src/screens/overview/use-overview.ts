import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { Overview, Raw } from '@/lib/api/analytics'
import { toOverview } from '@/lib/api/analytics'
import { useApi } from '@/lib/api/context'
import type { Interval, Range } from '@/lib/time-range'
import { intervalFor, resolve } from '@/lib/time-range'

export interface OverviewData extends Overview {
  interval: Interval
}

/** A short range is watched closely; a month does not change in five seconds. */
function pace(range: Range): number {
  return range.preset === '15m' || range.preset === '1h' ? 3_000 : 10_000
}

/** The overview of a range; a preset range moves on with every fetch. */
export function useOverview(range: Range, model: string, live: boolean) {
  const api = useApi()
  return useQuery({
    queryKey: ['overview', range, model],
    queryFn: async ({ signal }): Promise<OverviewData> => {
      const span = resolve(range, Date.now())
      const interval = intervalFor(span)
      const query = {
        startDate: new Date(span.start).toISOString(),
        endDate: new Date(span.end).toISOString(),
        interval,
        model,
      }
      const [usage, performance, costs] = await Promise.all([
        api.get<Raw>('/api/v1/analytics/usage', query, signal),
        api.get<Raw>('/api/v1/analytics/performance', query, signal),
        api.get<Raw>('/api/v1/analytics/costs', { ...query, groupBy: 'model' }, signal),
      ])
      return { ...toOverview(span, interval, usage, performance, costs), interval }
    },
    refetchInterval: live && range.preset !== 'custom' ? pace(range) : false,
    placeholderData: keepPreviousData,
  })
}
