using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Bits;

/// <summary>Every bit of logits, states and trained weights is what it was: hashes for every instruction set, scalar code included, and number of threads.</summary>
/// <remarks>
/// The one-result tests compare the library with itself; these compare it with its past. A hash may change only where the arithmetic is meant
/// to change: states saved before and runs resumed from before then go on with other bits.
/// </remarks>
public class BitsTests
{
    [TestCase("mamba1-tiny", "C2121650DF1B6EE7", "3DB26F1ADDEDDF4D")]
    [TestCase("mamba1-odd", "18C41786CDD9B409", "E4B3F00CAC01EA7C")]
    [TestCase("falcon-mamba-tiny", "E4979D4D6DCB527D", "E775FD69E5846273")]
    public void Logits_and_states(string fixture, string logits, string state) => AssertPrefill(Load(fixture), 150, logits, state);

    [TestCase("shakespeare-bytes", GgufFileType.F32, "D219D7DA9EFC4322", "36ED4F39301FCB6C")]
    [TestCase("shakespeare-bytes", GgufFileType.F16, "D219D7DA9EFC4322", "36ED4F39301FCB6C")]
    [TestCase("shakespeare-bytes", GgufFileType.BF16, "FA069C5BF20467DF", "DD5531C2D8D25702")]
    [TestCase("shakespeare-bytes", GgufFileType.Q8_0, "DF3138FE728A38D7", "2E444FCA11FF6589")]
    [TestCase("shakespeare-bytes", GgufFileType.Q4_0, "10BE3BCBEA26372C", "97467B820E7A8563")]
    [TestCase("shakespeare-bytes", GgufFileType.Q4_K_M, "E5D69AB6172CD006", "ACFC830D333E8815")]
    [TestCase("shakespeare-bytes", GgufFileType.Q5_K_M, "4726670823C3437E", "EB7126A92028B8C5")]
    [TestCase("falcon-mamba-tiny", GgufFileType.Q4_K_M, "36A7E923309DEC1A", "6F57996F8A9B2211")]
    [TestCase("mamba1-odd", GgufFileType.Q8_0, "A43FE9B05FE4A663", "137296E06631D608")]
    public void Logits_and_states_of_converted_weights(string fixture, GgufFileType type, string logits, string state)
    {
        MambaLanguageModel model = Load(fixture);
        AssertPrefill(model.Map("", ModelConversion.Converter(type, model.Config)), 40, logits, state);
    }

    [TestCase("training-tiny", false, "D380E19B3669E2FB", "1F944A7799BE2652")]
    [TestCase("training-tiny", true, "CA3D097AC2EE60AC", "D5197647643439DC")]
    [TestCase("mamba1-odd", false, "13AC4D33A3FBEE6D", "411B42B0D92C514A")]
    [TestCase("falcon-mamba-tiny", true, "48DF2416C9D06558", "7E3C54D6557E6005")]
    public void Losses_gradient_norms_and_trained_weights(string fixture, bool carryState, string losses, string weights)
    {
        MambaLanguageModel model = Load(fixture);
        Assert.Multiple(() =>
        {
            for (int threads = 1; threads <= 3; threads++)
            {
                (BitHash foundLosses, BitHash foundWeights) = Train(model, carryState, threads);
                Assert.That(foundLosses.ToString(), Is.EqualTo(losses), $"losses and gradient norms on {threads} threads");
                Assert.That(foundWeights.ToString(), Is.EqualTo(weights), $"weights on {threads} threads");
            }
        });
    }

    private static void AssertPrefill(MambaLanguageModel model, int length, string logits, string state)
    {
        int[] tokens = [.. Ids(model.Config.VocabSize).Take(length)];
        Assert.Multiple(() =>
        {
            for (int threads = 1; threads <= 3; threads++)
            {
                (float[] foundLogits, float[] foundState) = Prefill(model, tokens, threads);
                Assert.That(foundLogits, Has.None.NaN);
                Assert.That(BitHash.Of(foundLogits), Is.EqualTo(logits), $"logits on {threads} threads");
                Assert.That(BitHash.Of(foundState), Is.EqualTo(state), $"state on {threads} threads");
            }
        });
    }

    private static MambaLanguageModel Load(string fixture) => Opened.Model(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", fixture));

    // The one method that knows how an executor is called and how its state lies in memory.
    // Logits: [tokens, vocabulary]. State, layer by layer: conv_state [d_conv, d_inner], oldest first, then ssm_state [d_state, d_inner].
    private static (float[] Logits, float[] State) Prefill(MambaLanguageModel model, int[] tokens, int threads)
    {
        using CpuExecutor executor = new(model, threads);
        CpuState state = executor.CreateState();
        float[] logits = new float[tokens.Length * model.Config.VocabSize];
        executor.Prefill(tokens, state, logits);
        List<float> values = [];
        foreach (MixerState layer in state.Layers)
        {
            values.AddRange(layer.ConvState);
            values.AddRange(layer.SsmRows());
        }

        return (logits, [.. values]);
    }

    private static (BitHash Losses, BitHash Weights) Train(MambaLanguageModel model, bool carryState, int threads)
    {
        const int Steps = 6;
        TokenDocuments documents = TokenDocuments.Of(Ids(model.Config.VocabSize).Take(900).Chunk(60).Select((chunk, i) => chunk[..(2 + (i * 4 % 59))]));
        TrainerOptions options = new()
        {
            Steps = Steps,
            Schedule = new LearningRateSchedule(0.01, 2, Steps, 0.001),
            Batch = new BatchOptions { Windows = 2, Length = 24, Seed = 3, CarryState = carryState },
            Accumulate = 2,
            Dropout = 0.1f,
            AverageDecay = 0.9,
            Threads = threads,
        };
        using Trainer trainer = new(model.CopyToFloat32(), documents, options);
        (BitHash losses, BitHash weights) = (new(), new());
        for (int step = 0; step < Steps; step++)
        {
            TrainingReport report = trainer.Advance();
            losses.Add(report.Loss);
            losses.Add(report.GradientNorm);
        }

        foreach (MambaLanguageModel trained in new[] { trainer.Model, trainer.Result })
        {
            foreach ((_, Tensor tensor) in trained.Parameters())
            {
                weights.Add(tensor.ToArray());
            }
        }

        return (losses, weights);
    }

    // The high bits of a linear congruential generator (Knuth's MMIX constants), which no library can change.
    private static IEnumerable<int> Ids(int vocabulary)
    {
        for (ulong state = 1; ; )
        {
            state = (state * 6364136223846793005) + 1442695040888963407;
            yield return (int)((state >> 33) % (ulong)vocabulary);
        }
    }
}
