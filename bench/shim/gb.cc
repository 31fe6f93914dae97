// SPDX-License-Identifier: BSD-3-Clause
// Google Benchmark behind the C header gb.h: the one C++ file of Barrage.

#include "gb.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <sstream>
#include <string>

namespace
{

unsigned int errors;

benchmark::State &cpp(struct gb_state *state)
{
	return *reinterpret_cast<benchmark::State *>(state);
}

// Returning before the loop has ended aborts the process, unless the run was skipped.
void call(gb_function fn, void *arg, benchmark::State &state)
{
	auto *c_state = reinterpret_cast<struct gb_state *>(&state);

	fn(c_state, arg);
	if (!state.error_occurred() && state.iterations() < state.max_iterations)
		gb_skip(c_state, "the benchmark returned before its loop had ended");
}

// The reporter that --benchmark_format asks for, less one line. Debian builds Google Benchmark
// optimised but with assertions, which it takes for a debug build and warns that "timings may be
// affected". Ours are not: no timing here is Google Benchmark's.
class Reporter : public benchmark::BenchmarkReporter
{
      public:
	bool ReportContext(const Context &context) override
	{
		std::stringstream header;
		std::string line;
		bool ok;

		inner->SetErrorStream(&header);
		ok = inner->ReportContext(context);
		inner->SetErrorStream(&GetErrorStream());
		while (std::getline(header, line))
			if (line.find("Library was built as DEBUG") == std::string::npos)
				GetErrorStream() << line << '\n';
		return ok;
	}

	void ReportRuns(const std::vector<Run> &runs) override
	{
		inner->ReportRuns(runs);
	}

	void Finalize() override
	{
		inner->Finalize();
	}

      private:
	std::unique_ptr<BenchmarkReporter> inner{benchmark::CreateDefaultDisplayReporter()};
};

} // namespace

void gb_initialize(int *argc, char **argv, void (*help)(void))
{
	benchmark::Initialize(argc, argv, help);
}

void gb_print_flags(void)
{
	benchmark::PrintDefaultHelp();
}

void gb_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

void gb_register(const char *name, gb_function fn, void *arg, uint64_t iterations,
		 enum gb_unit unit)
{
	auto *b = benchmark::RegisterBenchmark(
		name, [fn, arg](benchmark::State &state) { call(fn, arg, state); });

	b->UseManualTime();
	b->Unit(unit == GB_NANOSECONDS ? benchmark::kNanosecond : benchmark::kMillisecond);
	if (iterations)
		b->Iterations(static_cast<benchmark::IterationCount>(iterations));
}

unsigned int gb_run(void)
{
	Reporter reporter;

	return static_cast<unsigned int>(benchmark::RunSpecifiedBenchmarks(&reporter));
}

unsigned int gb_errors(void)
{
	return errors;
}

int gb_loop(struct gb_state *state)
{
	return cpp(state).KeepRunning();
}

uint64_t gb_iterations(const struct gb_state *state)
{
	return reinterpret_cast<const benchmark::State *>(state)->max_iterations;
}

void gb_iteration_seconds(struct gb_state *state, double seconds)
{
	cpp(state).SetIterationTime(seconds);
}

void gb_counter(struct gb_state *state, const char *name, double value)
{
	if (std::isfinite(value))
		cpp(state).counters[name] = value;
	else
		gb_skip(state, (std::string(name) + " is not a finite number").c_str());
}

void gb_skip(struct gb_state *state, const char *why)
{
	errors++;
	cpp(state).SkipWithError(why);
}
