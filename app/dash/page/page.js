/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page: reads the data that barrage-dash put beside it, and shows them.
 *
 * Everything that comes from a result goes in as text (textContent), never as HTML. The index is
 * read at once; the values of a series when something shows them.
 */

"use strict";

(() => {
	const $ = (id) => document.getElementById(id);
	const read = (id) => JSON.parse($(id).textContent);

	const index = read("index");
	const ROWS = 100; // of a table at first; more on request
	const CHOICES = 300; // in a list; the filters reach the rest
	const RECENT = 10; // results back that a change point is news
	const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8a8a"];

	// The document

	function el(name, properties, ...children) {
		const node = document.createElement(name);

		Object.assign(node, properties);
		node.append(...children);
		return node;
	}

	const cell = (content, className = "") => el("td", { className }, content);

	function linkTo(text, action) {
		return el("button", { type: "button", className: "link", onclick: action }, text);
	}

	/* A table whose rows are made as they are asked for. On a phone each is a list: hence labels. */
	function table(heads, rows, make, none) {
		if (rows.length === 0)
			return [el("p", {}, none)];
		const body = el("tbody");
		const more = el("button", { type: "button" });
		let shown = 0;

		function show() {
			const end = Math.min(shown + ROWS, rows.length);

			for (; shown < end; shown++) {
				const cells = make(rows[shown]);

				cells.forEach((one, i) => { one.dataset.label = heads[i].replace(">", ""); });
				body.append(el("tr", {}, ...cells));
			}
			more.textContent = `Show more (${rows.length - shown} left)`;
			more.hidden = shown === rows.length;
		}
		more.onclick = show;
		show();
		const headings = heads.map((head) => el("th", {
			scope: "col",
			className: head.startsWith(">") ? "number" : "",
		}, head.replace(">", "")));

		return [el("table", {}, el("thead", {}, el("tr", {}, ...headings)), body), more];
	}

	// Numbers

	const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
	const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
	const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

	function scaled(value, steps) {
		const [size, name] = steps.find(([least]) => Math.abs(value) >= least)
			|| steps[steps.length - 1];

		return digits.format(value / size) + name;
	}

	function format(value, unit) {
		if (value === null || value === undefined)
			return "–";
		if (unit === "ns")
			return scaled(value, [[1e9, " s"], [1e6, " ms"], [1e3, " µs"], [1, " ns"]]);
		if (unit === "1/s")
			return scaled(value, [[1e9, " G/s"], [1e6, " M/s"], [1e3, " k/s"], [1, " /s"]]);
		if (unit === "share")
			return digits.format(100 * value) + " %";
		const text = Number.isInteger(value) ? whole.format(value) : digits.format(value);

		return unit ? `${text} ${unit}` : text;
	}

	/* On an axis a long unit would take the place of the picture. */
	const onAxis = (unit) => (value) =>
		format(value, ["ns", "1/s", "share"].includes(unit) ? unit : "");

	function percent(ratio) {
		if (ratio === null)
			return "–";
		const change = 100 * (ratio - 1);

		return (change > 0 ? "+" : change < 0 ? "−" : "")
			+ short.format(Math.abs(change)) + " %";
	}

	function probability(p) {
		return p < 1e-4 ? "< 0.0001" : short.format(p);
	}

	const date = (seconds) => new Date(1000 * seconds).toISOString().slice(0, 10);
	const moment = (seconds) =>
		new Date(1000 * seconds).toISOString().slice(0, 19).replace("T", " ") + " UTC";

	// Series

	const values = new Map(); // by id, once they are read

	function valuesOf(series) {
		if (!values.has(series.id))
			values.set(series.id, read(series.id));
		return values.get(series.id);
	}

	let runs;

	function runOf(series, i) {
		runs = runs || read("runs");
		return runs[valuesOf(series).r[i]] || { provenance: {} };
	}

	const settings = (series, ...without) => Object.entries(series.parameters || {})
		.filter(([name]) => !without.includes(name))
		.map(([name, value]) => `${name}=${value}`).join(" ");
	const title = (series) => [series.benchmark, settings(series)].filter(Boolean).join(" ");

	function verdict(series, before, after) {
		if (after === before)
			return "same";
		if (!series.better)
			return "changed";
		return (after > before) === (series.better > 0) ? "better" : "worse";
	}

	/* How much, for sorting; from or to nothing is more than any ratio. */
	function size(before, after) {
		if (before === after)
			return 0;
		const ratio = Math.abs(Math.log(after / before));

		return Number.isFinite(ratio) ? ratio : 1e3;
	}

	/* What somebody said of a change: of one of the results from it up to the next one. */
	function judgement(series, from) {
		const next = series.changes.map(([at]) => at).find((at) => at > from);
		const found = series.judged.find(([at]) => at >= from && (next === undefined || at < next));

		return found ? { judged: found[1], note: found[2] } : {};
	}

	/* What check would tell of the newest results; "noise" is none of it. */
	const TOLD = ["worse", "known", "changed", "better"];

	function newestNews(series) {
		if (!series.latest || !TOLD.includes(series.latest.verdict))
			return [];
		const { at, verdict: told, triage, numbers } = series.latest;
		const [before, after, ratio, low, high, q] = numbers;
		const range = low === null ? "" : ` (${percent(low)} to ${percent(high)})`;
		const [judged, ...note] = triage.split(": ");

		return [{
			series, before, after, at,
			verdict: told === "known" ? "worse" : told,
			change: percent(ratio) + range,
			evidence: series.exact ? "exact count" : `newest result, q ${probability(q)}`,
			judged,
			note: note.join(": "),
		}];
	}

	function changeNews(series, [at, p, before, after]) {
		return {
			series, before, after, at,
			verdict: verdict(series, before, after),
			change: percent(before ? after / before : null),
			evidence: series.exact ? "exact count" : `change point, p ${probability(p)}`,
			...judgement(series, at),
		};
	}

	function newsOf(series) {
		const newest = newestNews(series);
		const last = newest.length ? newest[0].at : series.n; // told already

		return newest.concat(series.changes
			.filter(([at]) => at >= series.n - RECENT && at < last)
			.map((change) => changeNews(series, change)));
	}

	const RANK = { worse: 0, changed: 1, better: 2, same: 3 };
	const rank = (news) => RANK[news.verdict] + (news.judged ? 10 : 0);

	function worstFirst(a, b) {
		return rank(a) - rank(b) || size(b.before, b.after) - size(a.before, a.after);
	}

	for (const series of index.series) {
		series.news = newsOf(series);
		series.worse = series.news.some((news) => news.verdict === "worse" && !news.judged);
		series.words = [title(series), series.handler, series.metric, series.machine,
			series.series].join(" ").toLowerCase();
	}

	// Filters

	const filters = $("filters");

	function matches(series) {
		const want = filters.elements;
		const kernel = want.kernel.value;

		return (!want.handler.value || series.handler === want.handler.value)
			&& (!want.machine.value || series.machine === want.machine.value)
			&& (!want.benchmark.value || series.benchmark === want.benchmark.value)
			&& (!kernel || series.now.some(([k]) => index.kernels[k] === kernel))
			&& (!want.worse.checked || series.worse)
			&& want.text.value.toLowerCase().split(/\s+/)
				.every((word) => series.words.includes(word));
	}

	function choices(name, all) {
		const texts = [...new Set(all)].filter(Boolean).sort();

		filters.elements[name].append(el("option", { value: "" }, "all"),
			...texts.map((text) => el("option", { value: text }, text)));
	}

	// What changed

	const SIGNS = { worse: "✗ worse", better: "✓ better", changed: "• changed", same: "same" };

	function newsRow(news) {
		const { series } = news;

		return [
			cell(SIGNS[news.verdict] + (news.judged ? ` (${news.judged})` : ""), news.verdict),
			cell(linkTo(title(series), () => openSeries(series, news.at)), "name"),
			cell(series.handler || "–"),
			cell(series.metric),
			cell(format(news.before, series.unit), "number"),
			cell(format(news.after, series.unit), "number"),
			cell(news.change, "number"),
			cell(news.evidence + (news.note ? `; ${news.note}` : "")),
			cell(series.machine),
		];
	}

	function showChanged(shown) {
		const news = shown.flatMap((series) => series.news)
			.filter((one) => !filters.elements.worse.checked || one.verdict === "worse")
			.sort(worstFirst);

		$("changed").replaceChildren(...table(["", "series", "handler", "metric", ">before",
			">after", ">change", "evidence", "machine"], news, newsRow, "Nothing changed."));
	}

	// All series

	function spark(series) {
		const NS = "http://www.w3.org/2000/svg";
		const svg = document.createElementNS(NS, "svg");
		const line = document.createElementNS(NS, "polyline");
		const { spark: all } = series;
		const least = Math.min(...all);
		const span = Math.max(...all) - least || 1;
		const x = (i) => (all.length > 1 ? 2 + 116 * i / (all.length - 1) : 60).toFixed(1);
		const y = (value) => (23 - 20 * (value - least) / span).toFixed(1);
		const points = all.map((value, i) => `${x(i)},${y(value)}`);

		if (all.length === 1) /* a dot */
			points.push(`60.1,${points[0].split(",")[1]}`);
		svg.setAttribute("class", "spark");
		svg.setAttribute("viewBox", "0 0 120 26");
		svg.setAttribute("aria-hidden", "true");
		line.setAttribute("points", points.join(" "));
		line.setAttribute("stroke-width", all.length === 1 ? "4" : "1.5");
		line.setAttribute("stroke-linecap", "round");
		svg.append(line);
		return svg;
	}

	function seriesRow(series) {
		const last = series.spark[series.spark.length - 1];

		return [
			cell(linkTo(title(series), () => openSeries(series)), "name"),
			cell(series.handler || "–"),
			cell(series.metric),
			cell(format(last, series.unit), "number"),
			cell(spark(series)),
			cell(whole.format(series.n), "number"),
			cell(whole.format(series.changes.length), "number"),
			cell(date(series.last), "date"),
			cell(series.machine),
		];
	}

	function showAll(shown) {
		$("all-title").textContent = `All series (${whole.format(shown.length)})`;
		$("all").replaceChildren(...table(["series", "handler", "metric", ">newest", "newest results",
			">results", ">changes", "measured", "machine"], shown, seriesRow,
			index.series.length ? "No series matches the filters."
				: "No results yet: barrage-dash add FILE puts some in."));
	}

	// Charts

	const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const charts = new Map(); // by element: what is drawn there, and how to draw it again

	function draw(node, make) {
		const old = charts.get(node);

		if (old)
			old.chart.destroy();
		charts.set(node, { chart: make(), make });
		return charts.get(node).chart;
	}

	function drawAllAgain() {
		for (const [node, { make }] of charts)
			draw(node, make);
	}

	/* dygraphs' ticks of an axis of log10: at 1, 2 and 5 times a power of ten. */
	function logTicks(low, high) {
		const ticks = [];

		for (let power = Math.floor(low); power <= high; power++)
			for (const step of [1, 2, 5]) {
				const v = power + Math.log10(step);

				if (v >= low && v <= high)
					ticks.push({ v, label: format(step * 10 ** power, "ns") });
			}
		return ticks;
	}

	const axes = () => ({
		axisLineColor: colour("--line"),
		gridLineColor: colour("--line"),
		axisLabelFontSize: 13,
		legend: "never",
		xAxisHeight: 24,
		highlightCircleSize: 5,
	});

	/* Room above and below, also where all values are equal. */
	function padded(all) {
		const known = all.filter((value) => value !== null);
		const least = known.reduce((a, b) => Math.min(a, b));
		const most = known.reduce((a, b) => Math.max(a, b));
		const pad = 0.06 * (most - least) || 0.05 * Math.abs(most) || 1;

		return [least - pad, most + pad];
	}

	// One series

	let open; // the series that is shown, and the point that is selected

	function rowsOf(series) {
		const { v } = valuesOf(series);
		const rows = [];

		for (const [start, end, low, high] of series.bands)
			for (let i = start; i < end; i++)
				rows.push([i, [low, v[i], high]]);
		return rows;
	}

	function markChanges(series, canvas, area, chart) {
		for (const [at, , before, after] of series.changes) {
			const x = chart.toDomXCoord(at - 0.5);

			canvas.strokeStyle = judgement(series, at).judged ? colour("--quiet")
				: colour(`--${verdict(series, before, after)}`);
			canvas.lineWidth = 2;
			canvas.setLineDash([5, 4]);
			canvas.beginPath();
			canvas.moveTo(x, area.y);
			canvas.lineTo(x, area.y + area.h);
			canvas.stroke();
		}
		canvas.setLineDash([]);
	}

	function yRange(series) {
		return padded(series.bands.flatMap(([, , low, high]) => [low, high])
			.concat(valuesOf(series).v));
	}

	function tell(i) {
		const { series } = open;
		const { t, v, k } = valuesOf(series);
		const kernel = index.kernels[k[i]];
		const { commit } = runOf(series, i);

		open.at = i;
		$("one-at").textContent = `${i + 1} of ${series.n}: ${format(v[i], series.unit)}, ${moment(t[i])}`
			+ (kernel ? `, kernel ${kernel}` : "") + (commit ? `, commit ${commit.slice(0, 12)}` : "");
	}

	function makeSeriesChart(node, series) {
		const { t } = valuesOf(series);
		const dates = (i) => Number.isInteger(i) && t[i] !== undefined ? date(t[i]) : "";

		return new Dygraph(node, rowsOf(series), {
			...axes(),
			labels: ["result", series.metric],
			customBars: true,
			colors: [colour("--values")],
			fillAlpha: 0.18,
			drawPoints: series.n <= 300,
			pointSize: 3,
			strokeWidth: 1.5,
			dateWindow: [-0.5, series.n - 0.5],
			valueRange: yRange(series),
			axes: {
				x: { axisLabelFormatter: dates, valueFormatter: dates, pixelsPerLabel: 110,
					axisLabelWidth: 100 },
				y: { axisLabelFormatter: onAxis(series.unit), axisLabelWidth: 84 },
			},
			underlayCallback: (canvas, area, chart) => markChanges(series, canvas, area, chart),
			highlightCallback: (event, i) => tell(i),
			clickCallback: (event, i) => openPoint(Math.round(i)),
			});
	}

	function changeRow(series, change) {
		const news = changeNews(series, change);

		return [
			cell(SIGNS[news.verdict] + (news.judged ? ` (${news.judged})` : ""), news.verdict),
			cell(linkTo(date(valuesOf(series).t[news.at]), () => openPoint(news.at))),
			cell(format(news.before, series.unit), "number"),
			cell(format(news.after, series.unit), "number"),
			cell(news.change, "number"),
			cell(news.evidence + (news.note ? `; ${news.note}` : "")),
		];
	}

	function openSeries(series, at) {
		const direction = { "-1": "lower is better", 0: "no direction is better", 1: "higher is better" };
		const [start, end, low, high] = series.bands[series.bands.length - 1];
		const noise = end - start < 5 ? "" /* too few to tell */
			: `; noise now ${format(low, series.unit)} to ${format(high, series.unit)}`;

		open = { series, at: at === undefined ? series.n - 1 : at };
		$("one-title").textContent = [title(series), series.handler, series.metric]
			.filter(Boolean).join(", ");
		$("one-about").textContent =
			`${series.machine}; ${direction[series.better]}${noise}; series ${series.series}`;
		$("one").hidden = false;
		$("one-chart").setAttribute("aria-label",
			`${series.n} results, ${series.changes.length} changes`);
		draw($("one-chart"), () => makeSeriesChart($("one-chart"), series));
		charts.get($("one-chart")).chart.setSelection(open.at);
		tell(open.at);
		$("one-changes").replaceChildren(...table(["", "since", ">before", ">after", ">change",
			"evidence"], [...series.changes].reverse(), (change) => changeRow(series, change),
			"No change points."));
		$("one").scrollIntoView({ block: "start" });
		$("one").focus({ preventScroll: true });
		remember(`series=${series.series}`);
	}

	function closeSeries() {
		const old = charts.get($("one-chart"));

		if (old)
			old.chart.destroy();
		charts.delete($("one-chart"));
		$("one").hidden = true;
		open = undefined;
		remember("");
	}

	function onChartKey(event) {
		const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity,
			End: Infinity };
		const { chart } = charts.get($("one-chart"));

		if (event.key === "Enter") {
			openPoint(open.at);
		} else if (event.key === "Escape") {
			chart.updateOptions({ dateWindow: [-0.5, open.series.n - 0.5],
				valueRange: yRange(open.series) });
		} else if (event.key in steps) {
			tell(Math.max(0, Math.min(open.series.n - 1, open.at + steps[event.key])));
			chart.setSelection(open.at);
		} else {
			return;
		}
		event.preventDefault();
	}

	// One result

	/*
	 * Values and how often each is there, ascending, in so many buckets [lower end, upper end,
	 * count]: of equal width, or of equal ratio where they span more than a decade.
	 */
	function bucketed(pairs, most) {
		const [least] = pairs[0];
		const [last] = pairs[pairs.length - 1];
		const ratio = least > 0 && last > 10 * least;
		const to = ratio ? Math.log : Number;
		const from = ratio ? Math.exp : Number;
		const width = to(last) - to(least);
		const n = width > 0 ? most : 1;
		const end = (i) => from(to(least) + width * i / n);
		const buckets = Array.from({ length: n }, (_, i) => [end(i), end(i + 1), 0]);

		for (const [value, count] of pairs) {
			const at = width > 0 ? Math.floor((to(value) - to(least)) / width * n) : 0;

			buckets[Math.min(at, n - 1)][2] += count;
		}
		return buckets;
	}

	const ascending = (details) => [...details].sort((a, b) => a - b);

	/* The buckets of what a result holds; see put_details() in track.c. */
	function bucketsOf(details) {
		if (Array.isArray(details))
			return bucketed(ascending(details).map((value) => [value, 1]),
				Math.min(16, details.length));
		if (!details.q)
			return bucketed(details.h, 32);
		let [lower] = details.q;

		return details.h.map(([upper, count]) => {
			const bucket = [lower, upper, count];

			lower = upper;
			return bucket;
		});
	}

	const SHARES = [0, 0.5, 0.9, 0.99, 1];

	/* Of a histogram the upper ends of the buckets that they are in. */
	function histogramQuantiles(pairs) {
		const total = pairs.reduce((sum, [, count]) => sum + count, 0);

		return SHARES.map((share) => {
			let sum = 0;
			const found = pairs.find(([, count]) => (sum += count) >= share * total);

			return found[0];
		});
	}

	function quantiles(details) {
		if (!Array.isArray(details))
			return details.q || histogramQuantiles(details.h);
		const sorted = ascending(details);

		return SHARES.map((p) => {
			const at = p * (sorted.length - 1);
			const below = Math.floor(at);
			const above = Math.ceil(at);

			return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
		});
	}

	const countOf = (details) => Array.isArray(details) ? details.length
		: details.n || details.of || details.h.reduce((sum, [, count]) => sum + count, 0);

	function histogram(details, unit) {
		const buckets = bucketsOf(details);
		const most = Math.max(...buckets.map(([, , count]) => count));
		const bars = buckets.map(([lower, upper, count]) => {
			const bar = el("div", {
				title: `${format(lower, unit)} to ${format(upper, unit)}: ${count}`,
			});

			bar.style.height = `${100 * count / most}%`;
			return bar;
		});
		const picture = el("div", { className: "histogram", role: "img" }, ...bars);

		picture.setAttribute("aria-label", `Histogram of ${countOf(details)} values`);
		return [picture, el("div", { className: "ends" },
			el("span", {}, format(buckets[0][0], unit)),
			el("span", {}, `${whole.format(countOf(details))} values`),
			el("span", {}, format(buckets[buckets.length - 1][1], unit)))];
	}

	const QUANTILES = ["min", "median", "p90", "p99", "max"];

	function distribution(details, unit) {
		if (!Array.isArray(details) && "of" in details)
			return [el("p", {}, `${details.sum} of ${details.of}`)];
		if (Array.isArray(details) && details.length === 1)
			return [el("p", {}, "One value, without repetitions.")];
		const all = quantiles(details);

		return [...histogram(details, unit),
			el("p", {}, QUANTILES.map((name, i) => `${name} ${format(all[i], unit)}`).join(", "))];
	}

	function list(pairs) {
		return el("dl", {}, ...pairs.filter(([, text]) => text !== "" && text !== undefined)
			.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, String(text))]));
	}

	function copyButton(text) {
		const button = el("button", { type: "button" }, "Copy");

		button.onclick = () => navigator.clipboard.writeText(text).then(
			() => { button.textContent = "Copied"; },
			() => { button.textContent = "Not allowed here"; });
		return button;
	}

	function command(text) {
		if (!text)
			return [el("p", { className: "hint" }, "The file did not say how it was made.")];
		return [el("p", {}, "To measure it again:"), el("pre", {}, text), copyButton(text)];
	}

	/* A word for a shell. */
	const quoted = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text
		: `'${text.replaceAll("'", "'\\''")}'`;

	function triage(result) {
		const db = index.db ? ` --db ${quoted(index.db)}` : "";
		const text = `barrage-dash triage${db} ${result} known --note "why"`;

		return [el("p", {}, "To say that the change which begins here is known (or fixed, or wanted):"),
			el("pre", {}, text), copyButton(text)];
	}

	function openPoint(i) {
		const { series } = open;
		const { t, v, k, d, i: ids } = valuesOf(series);
		const run = runOf(series, i);
		const { command: how, commit, ...provenance } = run.provenance || {};

		tell(i);
		charts.get($("one-chart")).chart.setSelection(i);
		$("point-title").textContent = `${format(v[i], series.unit)}, ${moment(t[i])}`;
		$("point-body").replaceChildren(
			el("p", {}, $("one-title").textContent),
			...distribution(d[i], series.unit),
			...command(how),
			...triage(ids[i]),
			list([["result", ids[i]], ["series", series.series], ["commit", run.commit || commit], ["kernel", index.kernels[k[i]]],
				["machine class", run.machine], ["format", run.format],
				["file's SHA-256", run.hash], ...Object.entries(provenance)]));
		$("point-before").disabled = i === 0;
		$("point-after").disabled = i === series.n - 1;
		if (!$("point").open)
			$("point").showModal();
		remember(`series=${series.series}&result=${ids[i]}`);
	}

	// Before and after

	/* What a handler on a kernel is called, and the newest result of a series there. */
	function newestOf(series, kernel) {
		return series.now
			.filter(([k]) => !kernel || index.kernels[k] === kernel)
			.map(([k, i, value]) => ({
				series, i, value,
				name: [series.handler, index.kernels[k]].filter(Boolean).join(" on ") || "–",
			}));
	}

	function grouped(list, key) {
		const groups = new Map();

		for (const one of list) {
			const name = key(one);

			if (!groups.has(name))
				groups.set(name, []);
			groups.get(name).push(one);
		}
		return groups;
	}

	const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });

	function showSurvival(shown, kernel) {
		const all = shown.filter((series) => series.unit === "share")
			.flatMap((series) => newestOf(series, kernel)).sort(byName);
		const names = [...new Set(all.map((one) => one.name))];
		const rows = [...grouped(all, (one) => `${title(one.series)}, ${one.series.machine}`)];

		$("survival").hidden = all.length === 0;
		$("survival").querySelector(".scroll").replaceChildren(...table(["series", ...names], rows,
			([name, group]) => [cell(name, "name"), ...names.map((one) => {
				const found = group.find((member) => member.name === one);

				return found ? cell(linkTo(format(found.value, "share"),
					() => openSeries(found.series, found.i)), found.value < 1 ? "worse" : "")
					: cell("–");
			})], ""));
	}

	/* By how much handlers and kernels differ at most, the parameters being the same. */
	function contrast(group) {
		const alike = grouped(group, ({ series }) => settings(series));
		const ratios = [...alike.values()].map((members) => {
			const all = members.map(({ value }) => value);

			return size(Math.min(...all), Math.max(...all));
		});

		return Math.max(...ratios);
	}

	/* Fill a part's list of groups, the fullest and the most telling first, and show one. */
	function choose(part, groups, show) {
		const select = part.querySelector("select");
		const names = [...groups]
			.map(([name, group]) => ({ name, count: group.length, telling: contrast(group) }))
			.sort((a, b) => b.count - a.count || b.telling - a.telling)
			.slice(0, CHOICES).map(({ name }) => name);
		const chosen = names.includes(select.value) ? select.value : names[0];

		part.hidden = names.length === 0;
		select.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
		select.onchange = () => show(groups.get(select.value));
		if (names.length > 0) {
			select.value = chosen;
			show(groups.get(chosen));
		}
	}

	/* More lines than colours: the further ones are dashed. */
	const isDashed = (i) => i >= COLOURS.length;

	function legend(part, names) {
		part.querySelector(".legend").replaceChildren(...names.map((name, i) => {
			const mark = el("i");

			mark.style.borderTopColor = COLOURS[i % COLOURS.length];
			mark.style.borderTopStyle = isDashed(i) ? "dashed" : "solid";
			return el("span", {}, mark, name);
		}));
	}

	/* Lines of [x, y] points, drawn over their common x. */
	function lines(part, all, options) {
		const xs = [...new Set(all.flatMap(({ points }) => points.map(([x]) => x)))]
			.sort((a, b) => a - b);
		const columns = all.map(({ points }) => new Map(points));
		const rows = xs.map((x) => [x, ...columns.map((column) => column.has(x) ? column.get(x) : null)]);
		const node = part.querySelector(".chart");
		const pad = 0.04 * (xs[xs.length - 1] - xs[0]) || 0.5;
		const labels = all.map(({ name }, i) => `${i + 1} ${name}`);

		legend(part, all.map(({ name }) => name));
		draw(node, () => new Dygraph(node, rows, {
			...axes(),
			labels: ["x", ...labels],
			colors: all.map((_, i) => COLOURS[i % COLOURS.length]),
			series: Object.fromEntries(labels.map((label, i) =>
				[label, { strokePattern: isDashed(i) ? [7, 4] : null }])),
			connectSeparatedPoints: true,
			strokeWidth: 2,
			dateWindow: [xs[0] - pad, xs[xs.length - 1] + pad],
			...options,
		}));
	}

	/* The share of values up to each, from log10 of the value. */
	function cumulative(details) {
		const total = countOf(details);
		const log = (value) => Math.log10(Math.max(value, 1e-3));
		let sum = 0;

		if (Array.isArray(details))
			return ascending(details).map((value, i) => [log(value), (i + 1) / total]);
		return [...details.q ? [[log(details.q[0]), 0]] : [],
			...bucketsOf(details).map(([, upper, count]) => {
				sum += count;
				return [log(upper), sum / total];
			})];
	}

	function showLatency(group) {
		const part = $("latency");
		const all = group.sort(byName).map((one) => ({
			...one, details: valuesOf(one.series).d[one.i],
		}));
		const heads = ["handler and kernel", ">values", ...QUANTILES.map((name) => `>${name}`)];

		lines(part, all.map(({ name, details }) => ({ name, points: cumulative(details) })), {
			stepPlot: true,
			valueRange: [-0.02, 1.05],
			axes: {
				x: { ticker: logTicks, axisLabelWidth: 70 },
				y: { axisLabelFormatter: onAxis("share"), axisLabelWidth: 60 },
			},
		});
		part.querySelector(".scroll").replaceChildren(...table(heads, all,
			({ series, i, name, details }) => [
				cell(linkTo(name, () => openSeries(series, i)), "name"),
				cell(whole.format(countOf(details)), "number"),
				...quantiles(details).map((value) => cell(format(value, "ns"), "number")),
			], ""));
	}

	/* Ticks where there are values, thinned to fit. */
	const ticksAt = (xs, label) => (low, high, pixels) => {
		const nth = Math.ceil(xs.length / Math.max(2, pixels / 64));

		return xs.filter((_, i) => i % nth === 0).map((v) => ({ v, label: label(v) }));
	};

	function drawAgainst(part, parameter, group, options) {
		const { unit } = group[0].series;
		const x = ({ series }) => options.x(series.parameters[parameter]);
		const curves = options.curves(group);
		const log = options.log && group.every(({ value }) => value > 0);
		const known = group.map(({ value }) => log ? Math.log(value) : value);
		const range = padded(known);

		lines(part, [...curves].sort(([a], [b]) => a.localeCompare(b)).map(([name, members]) => ({
			name, points: members.map((member) => [x(member), member.value]),
		})), {
			drawPoints: true,
			pointSize: 4,
			logscale: log,
			valueRange: log ? range.map(Math.exp) : range,
			axes: {
				x: { ticker: ticksAt([...new Set(group.map(x))].sort((a, b) => a - b), options.label) },
				y: { axisLabelFormatter: onAxis(unit), axisLabelWidth: 84 },
			},
		});
	}

	/* A part that draws a metric against a parameter with a number. */
	function showAgainst(part, parameter, shown, kernel, options) {
		const all = shown.filter((series) => series.unit !== "" && series.unit !== "share"
			&& typeof (series.parameters || {})[parameter] === "number")
			.flatMap((series) => newestOf(series, kernel));
		const groups = grouped(all, ({ series }) => [
			`${series.benchmark} ${settings(series, parameter, "sharing")}`.trim(),
			series.metric, series.machine].join(", "));

		for (const [name, group] of groups)
			if (new Set(group.map(({ series }) => series.parameters[parameter])).size < 2)
				groups.delete(name);
		choose(part, groups, (group) => drawAgainst(part, parameter, group, options));
	}

	/* A line per handler and way of sharing; a lone lcore shares nothing and begins them all. */
	function scalingCurves(group) {
		const curves = grouped(group, ({ series, name }) =>
			[name, series.parameters.sharing].filter(Boolean).join(", "));

		for (const { name, series } of group) {
			const others = [...curves].filter(([, [first]]) => first.name === name
				&& first.series.parameters.sharing !== "single");
			const lone = curves.get(`${name}, single`);

			if (series.parameters.sharing !== "single" || !lone || others.length === 0)
				continue;
			for (const [, members] of others)
				members.push(...lone);
			curves.delete(`${name}, single`);
		}
		return curves;
	}

	function bytes(log) {
		const units = ["B", "KiB", "MiB", "GiB", "TiB"];
		const step = Math.min(Math.floor(log / 10), units.length - 1);

		return `${digits.format(2 ** (log - 10 * step))} ${units[step]}`;
	}

	function showCompared(shown) {
		const kernel = filters.elements.kernel.value;
		const latencies = shown.filter((series) => series.unit === "ns" && series.handler)
			.flatMap((series) => newestOf(series, kernel));

		showSurvival(shown, kernel);
		choose($("latency"), grouped(latencies, ({ series }) =>
			[title(series), series.metric, series.machine].join(", ")), showLatency);
		showAgainst($("size"), "bar_bytes", shown, kernel, {
			curves: (group) => grouped(group, ({ name }) => name),
			x: Math.log2,
			label: bytes,
			log: true,
		});
		showAgainst($("lcores"), "lcores", shown, kernel, {
			curves: scalingCurves,
			x: (lcores) => lcores,
			label: String,
		});
		$("compared").hidden = ["survival", "latency", "size", "lcores"]
			.every((id) => $(id).hidden);
	}

	// The whole

	let waiting;

	function show() {
		const shown = index.series.filter(matches);

		showChanged(shown);
		showAll(shown);
		/* What is further down, and reads more, after what is on the screen. */
		clearTimeout(waiting);
		waiting = setTimeout(() => showCompared(shown), 0);
	}

	function remember(what) {
		history.replaceState(null, "", what ? `#${what}` : location.pathname + location.search);
	}

	/*
	 * #series=FINGERPRINT&result=NUMBER, as remember() leaves it: a link to what was shown, maybe on
	 * a page with more results, or fewer.
	 */
	function openLinked() {
		const link = new URLSearchParams(location.hash.slice(1));
		const series = index.series.find((one) => one.series === link.get("series"));

		if (!series) {
			if (link.has("series"))
				$("about").textContent += `. Series ${link.get("series")} is not on this page`;
			return;
		}
		openSeries(series);
		if (!link.has("result"))
			return;
		const at = valuesOf(series).i.indexOf(Number(link.get("result")));

		if (at >= 0)
			openPoint(at);
		else
			$("one-at").textContent = `Result ${link.get("result")} is not on this page`;
	}

	/* A page from the disk may not be allowed to keep anything. */
	function stored(change) {
		try {
			return change ? localStorage.setItem("theme", change) : localStorage.getItem("theme");
		} catch {
			return null;
		}
	}

	function setTheme(dark) {
		document.documentElement.dataset.theme = dark ? "dark" : "light";
		$("theme").textContent = dark ? "Light" : "Dark";
		drawAllAgain();
	}

	function startTheme() {
		const system = matchMedia("(prefers-color-scheme: dark)");
		const chosen = stored();

		setTheme(chosen ? chosen === "dark" : system.matches);
		system.addEventListener("change", () => stored() || setTheme(system.matches));
		$("theme").onclick = () => {
			const dark = document.documentElement.dataset.theme !== "dark";

			stored(dark ? "dark" : "light");
			setTheme(dark);
		};
	}

	function start() {
		startTheme();
		$("about").textContent = `${whole.format(index.results)} results in `
			+ `${whole.format(index.series.length)} series; written ${moment(index.written)} by `
			+ `barrage-dash ${index.version} from ${index.store}`;
		choices("kernel", index.kernels);
		for (const name of ["handler", "machine", "benchmark"])
			choices(name, index.series.map((series) => series[name]));
		for (const filter of filters.elements) {
			/* A text that is left must not renew the tables under the click that leaves it. */
			if (filter.name === "text")
				filter.oninput = show;
			else
				filter.onchange = show;
		}
		filters.onsubmit = (event) => event.preventDefault();
		$("one-close").onclick = closeSeries;
		$("one-chart").onkeydown = onChartKey;
		$("point-before").onclick = () => openPoint(open.at - 1);
		$("point-after").onclick = () => openPoint(open.at + 1);
		$("point-close").onclick = () => $("point").close();
		$("point").onclose = () => open && remember(`series=${open.series.series}`);
		show();
		openLinked();
	}

	start();
})();
