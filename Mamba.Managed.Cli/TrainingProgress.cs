using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>Speed of a run and remaining time, smoothed over the last steps.</summary>
/// <param name="steps">Steps of the whole run.</param>
/// <param name="parameters">The number of the model's parameters.</param>
/// <param name="peak">Multiply-adds of what trains, in 10^9 operations a second.</param>
internal sealed class TrainingProgress(long steps, long parameters, double peak)
{
    // The first steps are slower: code is compiled and memory touched for the first time.
    private const double Smoothing = 0.1;

    private double seconds;
    private double tokens;
    private long step;

    public double TokensPerSecond => tokens / Math.Max(seconds, 1e-9);

    /// <summary>6 x parameters x tokens, as a share of the peak.</summary>
    public double FmaShare => 6.0 * parameters * TokensPerSecond / 1e9 / peak;

    /// <summary>Share of the run that is done.</summary>
    public double Done => (double)step / steps;

    /// <summary>Time until the last step; a million days at most.</summary>
    public TimeSpan Left => TimeSpan.FromSeconds(Math.Min((steps - step) * seconds, 8.64e10));

    public void Add(TrainingReport report)
    {
        double part = step == 0 ? 1 : Smoothing;
        (seconds, tokens, step) = (Mix(seconds, report.Elapsed.TotalSeconds, part), Mix(tokens, report.Tokens, part), report.Step);

        static double Mix(double before, double now, double part) => before + (part * (now - before));
    }
}
