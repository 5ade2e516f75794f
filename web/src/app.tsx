import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useMemo } from 'react'
import { ApiClient } from './lib/api/client'
import { SignedProvider } from './lib/api/context'
import type { Whoami } from './lib/api/types'
import { baseUrl } from './lib/base'
import { useRoute } from './lib/router'
import type { Session } from './lib/session'
import { session, signOut } from './lib/session'
import { useStore } from './lib/store'
import { AuditScreen } from './screens/audit/audit-screen'
import { BudgetsScreen } from './screens/budgets/budgets-screen'
import { ChatScreen } from './screens/chat/chat-screen'
import { EventsScreen } from './screens/events/events-screen'
import { LogsScreen } from './screens/logs/logs-screen'
import { OverviewScreen } from './screens/overview/overview-screen'
import { PrivacyScreen } from './screens/privacy/privacy-screen'
import { ProjectionsScreen } from './screens/projections/projections-screen'
import { QuickstartScreen } from './screens/quickstart'
import { ResourcesScreen } from './screens/resources/resources-screen'
import { Shell } from './screens/shell'
import { SignIn } from './screens/sign-in'
import { ErrorState, SkeletonRows } from './ui/feedback'
import { Button } from './ui/button'
import { Logo } from './ui/logo'

// Fetched when they are first opened: not everybody who looks at logs builds something.
const AgentsScreen = lazy(() => import('./screens/agents/agents-screen').then((m) => ({ default: m.AgentsScreen })))
const KnowledgeScreen = lazy(() => import('./screens/knowledge/knowledge-screen').then((m) => ({ default: m.KnowledgeScreen })))
const LeaderboardsScreen = lazy(() => import('./screens/leaderboards/leaderboards-screen').then((m) => ({ default: m.LeaderboardsScreen })))
const MemoriesScreen = lazy(() => import('./screens/memories/memories-screen').then((m) => ({ default: m.MemoriesScreen })))
const TrainingsScreen = lazy(() => import('./screens/trainings/trainings-screen').then((m) => ({ default: m.TrainingsScreen })))
const WorkflowsScreen = lazy(() => import('./screens/workflows/workflows-screen').then((m) => ({ default: m.WorkflowsScreen })))

export function App() {
  const current = useStore(session)
  const { page } = useRoute()
  const queries = useQueryClient()
  // Nothing of one caller may be seen by the next.
  useEffect(() => () => queries.clear(), [current, queries])
  if (current) return <SignedIn key={current.key} current={current} />
  return page === 'quickstart' ? <QuickstartScreen standalone /> : <SignIn />
}

function SignedIn({ current }: { current: Session }) {
  const api = useMemo(
    () =>
      new ApiClient({
        base: baseUrl(location),
        token: current.key,
        onUnauthorized: () => signOut('This key is no longer valid. Sign in with another one.'),
      }),
    [current.key],
  )
  const whoami = useQuery({
    queryKey: ['whoami'],
    queryFn: ({ signal }) => api.get<Whoami>('/api/v1/auth/whoami', undefined, signal),
    staleTime: 60_000,
  })
  const signed = useMemo(() => whoami.data && { api, caller: whoami.data }, [api, whoami.data])

  if (signed) {
    return (
      <SignedProvider value={signed}>
        <Shell>
          <Suspense fallback={<SkeletonRows rows={6} />}>
            <Page />
          </Suspense>
        </Shell>
      </SignedProvider>
    )
  }
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col items-center justify-center gap-6 px-4">
      <h1 className="sr-only">Strata</h1>
      <Logo className={whoami.isError ? 'size-10' : 'size-10 animate-[shimmer_1.4s_ease-in-out_infinite]'} />
      {whoami.isError && (
        <>
          <ErrorState error={whoami.error} onRetry={() => void whoami.refetch()} />
          <Button look="ghost" onClick={() => signOut()}>
            Sign out
          </Button>
        </>
      )}
    </main>
  )
}

function Page() {
  const { page } = useRoute()
  switch (page) {
    case 'logs':
      return <LogsScreen />
    case 'events':
      return <EventsScreen />
    case 'chat':
      return <ChatScreen />
    case 'budgets':
      return <BudgetsScreen />
    case 'audit':
      return <AuditScreen />
    case 'agents':
      return <AgentsScreen />
    case 'knowledge':
      return <KnowledgeScreen />
    case 'leaderboards':
      return <LeaderboardsScreen />
    case 'trainings':
      return <TrainingsScreen />
    case 'memories':
      return <MemoriesScreen />
    case 'resources':
      return <ResourcesScreen />
    case 'privacy':
      return <PrivacyScreen />
    case 'projections':
      return <ProjectionsScreen />
    case 'workflows':
      return <WorkflowsScreen />
    case 'quickstart':
      return <QuickstartScreen />
    default:
      return <OverviewScreen />
  }
}
