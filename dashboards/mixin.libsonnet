// The dashboards, rules and alerts for jsonnet, in the fields that mixins use.
// Field names of `grafanaDashboards` are the file names.
//
//   local health = (import 'dashboards/mixin.libsonnet') + {
//     _config+:: { pollObjective: 0.995 },
//   };
//   { 'alerts.json': std.manifestJson(health.prometheusAlerts) }
{
  _config:: {
    // Share of polls that should take at most 10 ms. null keeps the value of the
    // generated rules.
    pollObjective: null,
    // Added to every alert, for example { team: 'web' }.
    alertLabels: {},
    // Added to the tags of every dashboard.
    dashboardTags: [],
  },

  local config = self._config,

  grafanaDashboards+:: {
    [name]: imported[name] { tags+: config.dashboardTags }
    for name in std.objectFields(imported)
  },

  local imported = {
    'overview.json': import 'grafana/overview.json',
    'route.json': import 'grafana/route.json',
    'blocking-pool.json': import 'grafana/blocking-pool.json',
    'instance.json': import 'grafana/instance.json',
  },

  prometheusRules+:: {
    groups: [
      group {
        rules: [
          if config.pollObjective != null && std.endsWith(rule.record, '_poll_objective:ratio')
          then rule { expr: 'vector(%g)' % config.pollObjective }
          else rule
          for rule in group.rules
        ],
      }
      for group in std.parseYaml(importstr 'prometheus/rules.yml').groups
    ],
  },

  prometheusAlerts+:: {
    groups: [
      group {
        rules: [rule { labels+: config.alertLabels } for rule in group.rules],
      }
      for group in std.parseYaml(importstr 'prometheus/alerts.yml').groups
    ],
  },
}
