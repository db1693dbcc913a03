package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

type report struct {
	Targets     map[string]*targetReport `json:"targets"`
	Seconds     float64                  `json:"seconds"`
	CPUSeconds  float64                  `json:"cpu_seconds"`
	BehindMSP99 float64                  `json:"behind_ms_p99"`
}

type targetReport struct {
	Calls        int            `json:"calls"`
	Codes        map[string]int `json:"codes"`
	Failures     []failure      `json:"failures"`
	Slow         int            `json:"slow"`
	Slowest      []slowCall     `json:"slowest"`
	Milliseconds *quantiles     `json:"milliseconds,omitempty"`
	Lasted       *quantiles     `json:"lasted,omitempty"`
	LongestGapMS *float64       `json:"longest_gap_ms,omitempty"`
	Unfinished   int            `json:"unfinished"`
	Callers      map[string]int `json:"callers"`
	Pods         map[string]int `json:"pods"`
	Connections  int            `json:"connections"`
	Moved        int            `json:"moved"`
	Stayed       int            `json:"stayed"`
	Windows      []window       `json:"windows"`
}

type slowCall struct {
	At float64 `json:"at"`
	MS float64 `json:"ms"`
}

type quantiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// window holds the calls that were sent in it; its times are those of OK calls, null without any.
type window struct {
	At      float64        `json:"at"`
	OK      int            `json:"ok"`
	Failed  int            `json:"failed"`
	P50     *float64       `json:"p50"`
	P99     *float64       `json:"p99"`
	Max     *float64       `json:"max"`
	Callers map[string]int `json:"callers"`
	Holders map[string]int `json:"holders"`
	Opened  int            `json:"opened"`
}

// summarize consumes the channels' calls.
func summarize(c *client, rows [][]*channel) *report {
	told := &report{Targets: map[string]*targetReport{}}
	var behind []uint32
	for i, target := range c.targets {
		var channels []*channel
		for _, row := range rows {
			channels = append(channels, row[i])
			for _, made := range row[i].calls {
				behind = append(behind, made.behind)
			}
		}
		told.Targets[target.name] = c.summarizeTarget(channels)
	}
	slices.Sort(behind)
	told.BehindMSP99 = quantile(behind, 0.99)
	return told
}

func (c *client) summarizeTarget(channels []*channel) *targetReport {
	told := &targetReport{
		Codes:    map[string]int{},
		Failures: []failure{},
		Slowest:  []slowCall{},
		Callers:  map[string]int{},
		Pods:     map[string]int{},
	}
	told.Windows = c.windows(channels)
	var calls []call
	var longestGap time.Duration
	for _, channel := range channels {
		calls = append(calls, channel.calls...)
		channel.calls = nil
		told.Failures = append(told.Failures, channel.failures...)
		told.Unfinished += channel.unfinished
		longestGap = max(longestGap, channel.longestGap)
		told.Connections += len(channel.connections)
		for i := 1; i < len(channel.connections); i++ {
			if channel.connections[i].remote == channel.connections[i-1].remote {
				told.Stayed++
			} else {
				told.Moved++
			}
		}
	}
	slices.SortFunc(told.Failures, func(a, b failure) int { return cmp.Compare(a.At, b.At) })
	told.Failures = told.Failures[:min(len(told.Failures), keptFailures)]

	// Sort by window and, within each, by duration.
	length := uint32(c.window.Milliseconds())
	slices.SortFunc(calls, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.at/length, b.at/length), cmp.Compare(a.took, b.took))
	})
	for rest := calls; len(rest) > 0; {
		place := rest[0].at / length
		end := 0
		for end < len(rest) && rest[end].at/length == place {
			end++
		}
		told.Windows[place].take(rest[:end])
		rest = rest[end:]
	}

	told.Calls = len(calls)
	for _, made := range calls {
		told.Codes[codeName(made.code)]++
		if made.answer != 0 {
			pod, caller := split(made.answer)
			told.Pods[pod]++
			told.Callers[caller]++
		}
	}
	c.times(told, calls)
	if c.stream > 0 {
		told.Lasted, told.Milliseconds = told.Milliseconds, nil
		gap := round(longestGap.Seconds() * 1000)
		told.LongestGapMS = &gap
	}
	return told
}

// times reports the calls' durations; it sorts the calls by duration.
func (c *client) times(told *targetReport, calls []call) {
	slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.took, b.took) })
	all, good, sum := make([]uint32, 0, len(calls)), make([]uint32, 0, len(calls)), 0.0
	for _, made := range calls {
		all = append(all, made.took)
		if made.code == 0 {
			good = append(good, made.took)
			sum += float64(made.took)
		}
	}
	if len(good) > 0 {
		told.Milliseconds = &quantiles{
			P50:  quantile(good, 0.5),
			P90:  quantile(good, 0.9),
			P99:  quantile(good, 0.99),
			P999: quantile(good, 0.999),
			Max:  quantile(good, 1),
			Mean: round(sum / float64(len(good)) / 1000),
		}
	}
	limit := quantile(all, 0.5) + 1000
	for i := len(calls) - 1; i >= 0; i-- {
		made := calls[i]
		if milliseconds(made.took) > limit {
			told.Slow++
		} else if len(told.Slowest) == 20 {
			return
		}
		if len(told.Slowest) < 20 {
			at := c.began.Add(time.Duration(made.at) * time.Millisecond)
			told.Slowest = append(told.Slowest, slowCall{unixSeconds(at), milliseconds(made.took)})
		}
	}
}

// windows creates the windows, with each channel's caller and opened connections.
func (c *client) windows(channels []*channel) []window {
	length := uint32(c.window.Milliseconds())
	last := uint32(0)
	for _, channel := range channels {
		for _, made := range channel.calls {
			last = max(last, made.at)
		}
		for _, opened := range channel.connections {
			last = max(last, opened.at)
		}
	}
	windows := make([]window, last/length+1)
	for i := range windows {
		at := c.began.Add(time.Duration(i) * c.window)
		windows[i] = window{At: unixSeconds(at), Callers: map[string]int{}, Holders: map[string]int{}}
	}
	latest := make([]call, len(windows)) // one channel's, in each window
	for _, channel := range channels {
		clear(latest)
		for _, made := range channel.calls {
			if found := &latest[made.at/length]; made.answer != 0 && made.at >= found.at {
				*found = made
			}
		}
		holder := ""
		for i, made := range latest {
			if made.answer != 0 {
				_, holder = split(made.answer)
			}
			if holder != "" {
				windows[i].Holders[holder]++
			}
		}
		for _, opened := range channel.connections {
			windows[opened.at/length].Opened++
		}
	}
	return windows
}

// take adds a window's calls, sorted by duration.
func (w *window) take(calls []call) {
	good := make([]uint32, 0, len(calls))
	for _, made := range calls {
		if made.answer != 0 {
			_, caller := split(made.answer)
			w.Callers[caller]++
		}
		if made.code == 0 {
			good = append(good, made.took)
		}
	}
	w.OK, w.Failed = len(good), len(calls)-len(good)
	if len(good) > 0 {
		p50, p99, most := quantile(good, 0.5), quantile(good, 0.99), quantile(good, 1)
		w.P50, w.P99, w.Max = &p50, &p99, &most
	}
}

func split(answer uint16) (pod, caller string) {
	pod, caller, _ = strings.Cut(answers.texts[answer], " ")
	return pod, caller
}

// quantile is the nearest rank of sorted microseconds, in milliseconds; 0 of none.
func quantile(sorted []uint32, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return milliseconds(sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)])
}

// round keeps three digits.
func round(number float64) float64 { return math.Round(number*1000) / 1000 }
