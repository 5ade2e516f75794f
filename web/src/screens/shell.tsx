import { clsx } from 'clsx'
import { BookOpen, MoreHorizontal, Rocket } from 'lucide-react'
import type { ReactNode } from 'react'
import { Fragment } from 'react'
import { useSigned } from '@/lib/api/context'
import { Link, navigate, useRoute } from '@/lib/router'
import { Logo } from '@/ui/logo'
import { Menu, MenuItem, MenuLabel } from '@/ui/menu'
import { HealthBanner } from './health-banner'
import { groups } from './pages'
import { SettingsMenu } from './settings-menu'

/** How many pages a phone shows as tabs; the others are behind the last tab. */
const tabs = 4

const pages = groups.flatMap((group) => group.pages)
const onTabs = pages.slice(0, tabs)

const navItem = 'flex h-8 items-center gap-2.5 rounded-lg px-2.5 transition-colors [&_svg]:size-[17px]'
const navCurrent = 'bg-surface font-medium text-ink shadow-card ring-1 ring-line dark:bg-raised [&_svg]:text-accent'
const tab = 'flex flex-col items-center gap-0.5 py-2 text-[11px] font-medium'
const navOther = 'text-ink-2 hover:bg-hover'

export const docsHref = '../api/v1/docs'

/** The frame around every signed-in page: a sidebar, or on small screens a bar above and tabs below. */
export function Shell({ children }: { children: ReactNode }) {
  const { page } = useRoute()
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[14.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-md bg-accent px-3 py-2 font-medium text-accent-ink focus:translate-y-0"
      >
        Skip to content
      </a>
      <Sidebar page={page} />
      <header className="sticky top-0 z-30 flex h-13 items-center justify-between border-b border-line bg-bg/90 px-4 backdrop-blur lg:hidden">
        <Link to="" className="flex items-center gap-2 font-semibold tracking-tight">
          <Logo className="size-6" /> Strata
        </Link>
        <SettingsMenu compact />
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 outline-none">
        <HealthBanner />
        <div className="mx-auto max-w-[88rem] px-4 pt-5 pb-24 lg:px-8 lg:pt-7 lg:pb-10">{children}</div>
      </main>
      <nav
        aria-label="Pages"
        className="fixed inset-x-0 bottom-0 z-30 grid grid-cols-5 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] lg:hidden"
      >
        {onTabs.map(({ to, label, short, icon: Icon }) => (
          <Link key={to} to={to} aria-current={to === page ? 'page' : undefined} className={clsx(tab, to === page ? 'text-accent' : 'text-ink-3')}>
            <Icon className="size-5" aria-hidden />
            {short ?? label}
          </Link>
        ))}
        <MoreTab page={page} />
      </nav>
    </div>
  )
}

function MoreTab({ page }: { page: string }) {
  const current = pages.some(({ to }) => to === page) && !onTabs.some(({ to }) => to === page)
  const trigger = (
    <button type="button" className={clsx(tab, current ? 'text-accent' : 'text-ink-3')}>
      <MoreHorizontal className="size-5" aria-hidden />
      More
    </button>
  )
  return (
    <Menu trigger={trigger}>
      {groups.map((group) => {
        const more = group.pages.filter((entry) => !onTabs.includes(entry))
        return (
          more.length > 0 && (
            <Fragment key={group.name}>
              <MenuLabel>{group.name}</MenuLabel>
              {more.map(({ to, label, icon: Icon }) => (
                <MenuItem key={to} onSelect={() => navigate(to)}>
                  <Icon aria-hidden /> {label}
                </MenuItem>
              ))}
            </Fragment>
          )
        )
      })}
    </Menu>
  )
}

function Sidebar({ page }: { page: string }) {
  const { caller } = useSigned()
  return (
    <aside className="sticky top-0 hidden h-dvh flex-col border-r border-line bg-sunken lg:flex" aria-label="Navigation">
      <Link to="" className="flex items-center gap-2.5 px-5 pt-5 pb-3">
        <Logo className="size-7" />
        <span className="min-w-0">
          <span className="block leading-tight font-semibold tracking-tight">Strata</span>
          <span className="block truncate text-xs text-ink-3">{caller.organization?.name ?? 'Console'}</span>
        </span>
      </Link>
      <nav aria-label="Pages" className="min-h-0 flex-1 space-y-3 overflow-y-auto px-3 py-1">
        {groups.map((group) => (
          <div key={group.name} role="group" aria-label={group.name} className="space-y-0.5">
            <p aria-hidden className="px-2.5 pb-0.5 text-xs text-ink-3">
              {group.name}
            </p>
            {group.pages.map(({ to, label, icon: Icon }) => (
              <Link key={to} to={to} aria-current={to === page ? 'page' : undefined} className={clsx(navItem, to === page ? navCurrent : navOther)}>
                <Icon aria-hidden />
                {label}
              </Link>
            ))}
          </div>
        ))}
      </nav>
      <div className="space-y-0.5 px-3 pt-2 pb-2">
        <Link
          to="quickstart"
          aria-current={page === 'quickstart' ? 'page' : undefined}
          className={clsx(navItem, page === 'quickstart' ? navCurrent : navOther)}
        >
          <Rocket aria-hidden /> Quickstart
        </Link>
        <a href={docsHref} className={clsx(navItem, navOther)}>
          <BookOpen aria-hidden /> API reference
        </a>
      </div>
      <div className="border-t border-line p-3">
        <SettingsMenu />
      </div>
    </aside>
  )
}
