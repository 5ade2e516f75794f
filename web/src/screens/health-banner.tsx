import { useQuery } from '@tanstack/react-query'
import { CloudOff, Loader } from 'lucide-react'
import { useApi } from '@/lib/api/context'
import { readiness } from '@/lib/api/readiness'

const words: Record<string, string> = {
  starting: 'Analytics are starting. Calls are recorded meanwhile and will show up.',
  restarting: 'Analytics are restarting. Calls are recorded meanwhile and will show up.',
  missing: 'Analytics are off: the ClickHouse engine was not found. Calls are recorded and will show up once it is there.',
}

/** A line above the page while a part of the server is not there. */
export function HealthBanner() {
  const { base } = useApi()
  const health = useQuery({
    queryKey: ['readyz'],
    queryFn: ({ signal }) => readiness(base, signal),
    refetchInterval: (query) => (query.state.data?.components?.clickhouse?.state === 'ready' ? 15_000 : 3_000),
    retry: false,
  })
  if (health.isError) {
    return <Line icon={<CloudOff />}>The server cannot be reached. What you see may be old; trying again.</Line>
  }
  const engine = health.data?.components?.clickhouse
  if (!engine?.state || engine.state === 'ready') return null
  return (
    <Line icon={engine.state === 'missing' ? <CloudOff /> : <Loader className="animate-spin" />}>
      {words[engine.state] ?? 'Analytics are not ready. Calls are recorded meanwhile.'}
      {engine.message && <span className="text-ink-2"> {engine.message}</span>}
    </Line>
  )
}

function Line({ icon, children }: { icon: React.ReactNode; children: React.ReactNode }) {
  return (
    <div role="status" className="flex items-start gap-2.5 border-b border-line bg-warn-soft px-4 py-2.5 text-warn lg:px-8 [&_svg]:mt-0.5 [&_svg]:size-4 [&_svg]:shrink-0">
      {icon}
      <p className="min-w-0 break-words">{children}</p>
    </div>
  )
}
