using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

/// <summary>The models and the text that the GGUF tests share.</summary>
internal static class GgufFixtures
{
    private static readonly string Own = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    /// <summary>The repository's fixtures, and those that MAMBA_FIXTURES names.</summary>
    public static IEnumerable<string> Roots() =>
        [Own, .. Environment.GetEnvironmentVariable("MAMBA_FIXTURES")?.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries) ?? []];

    /// <summary>The byte-level model that the files in <c>gguf</c> were made from, in half precision.</summary>
    public static MambaLanguageModel ShakespeareModel() => Opened.Model(Path.Combine(Own, "shakespeare-bytes"));

    /// <summary>A model of two small blocks whose projections have whole blocks of 32.</summary>
    public static MambaLanguageModel SmallModel() => MambaLanguageModel.Create(new MambaConfig { DModel = 32, NLayer = 2, VocabSize = 48, DState = 4, DtRank = 2 }, 7);

    /// <summary>The mean cost of predicting bytes of the validation text, the first of which is context only.</summary>
    public static double NatsPerByte(IMambaExecutor executor, int scored, Span<float> last = default)
    {
        byte[] text = File.ReadAllBytes(Path.Combine(Own, "gguf", "validation.txt"));
        int vocabulary = executor.Config.VocabSize;
        float[] logits = new float[scored * vocabulary];
        executor.Prefill([.. text.Take(scored).Select(b => (int)b)], executor.CreateState(), logits);
        double sum = 0;
        for (int i = 0; i < scored; i++)
        {
            ReadOnlySpan<float> row = logits.AsSpan(i * vocabulary, vocabulary);
            double total = 0;
            foreach (float value in row)
            {
                total += Math.Exp(value);
            }

            sum += Math.Log(total) - row[text[i + 1]];
        }

        if (!last.IsEmpty)
        {
            logits.AsSpan(^vocabulary..).CopyTo(last);
        }

        return sum / scored;
    }
}
