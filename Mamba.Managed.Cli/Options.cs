using System.CommandLine;
using System.Globalization;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>Arguments and options that several commands share, and checks that make an invalid value a usage error.</summary>
internal static class Options
{
    /// <summary>The model that ships with the command.</summary>
    public static string DefaultModel => Path.Combine(AppContext.BaseDirectory, "DefaultModel");

    /// <summary>The model to use; without it, the one that ships with the command.</summary>
    public static Argument<string> Model() => new("MODEL")
    {
        Description = "Model folder or GGUF file; the Shakespeare model that comes with the command when left out.",
        DefaultValueFactory = _ => DefaultModel,
    };

    public static Option<int> Threads() => Number("--threads", "Threads that compute; 0 for one per processor.", 0, 0, 1024);

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object." };

    /// <summary>A number within a range.</summary>
    public static Option<T> Number<T>(string name, string description, T byDefault, T least, T most)
        where T : struct, IComparable<T>, IFormattable
    {
        Option<T> option = new(name) { Description = description, DefaultValueFactory = _ => byDefault };
        option.Validators.Add(result =>
        {
            T value;
            try
            {
                value = result.GetValueOrDefault<T>();
            }
            catch (InvalidOperationException error)
            {
                // The parser reports a value that is not a number only after the validators have run.
                result.AddError(error.Message);
                return;
            }

            if (!(value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name}: expected {least} to {most}, found {value}"));
            }
        });
        return option;
    }

    /// <summary>The value of an option, checked.</summary>
    /// <exception cref="ArgumentException">The value is out of range; the message says what is expected.</exception>
    public static T InRange<T>(ParseResult parsed, Option<T> option, Func<T, bool> isRight, string expected)
        where T : IFormattable
    {
        T value = parsed.GetValue(option)!;
        return isRight(value) ? value : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{option.Name}: expected {expected}, found {value}"));
    }

    /// <summary>The value of a learning rate option, checked.</summary>
    /// <exception cref="ArgumentException">It is out of range.</exception>
    public static double LearningRate(ParseResult parsed, Option<double> option) =>
        InRange(parsed, option, rate => rate > 0 && rate <= AdamW.MaxLearningRate, $"a number above 0 and up to {AdamW.MaxLearningRate}");
}
