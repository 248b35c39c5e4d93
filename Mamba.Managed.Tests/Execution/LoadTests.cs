using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Execution;

public class LoadTests
{
    [TestCase("Fixtures/mamba1-tiny-bf16-sharded")]
    [TestCase("Fixtures/mamba1-tiny-original")]
    [TestCase("Fixtures/mamba1-odd")]
    [TestCase("Fixtures/gguf/shakespeare-Q8_0.gguf")]
    public void An_executor_that_takes_the_weights_over_gives_the_bits_of_one_that_does_not(string name)
    {
        string path = Path.Combine([TestContext.CurrentContext.TestDirectory, .. name.Split('/')]);
        using CpuExecutor loaded = CpuExecutor.Load(path, 2), built = new(Opened.Model(path), 2);
        float[] found = new float[3 * loaded.Config.VocabSize], expected = new float[found.Length];
        loaded.Prefill([1, 2, 3], loaded.CreateState(), found);
        built.Prefill([1, 2, 3], built.CreateState(), expected);
        Assert.That(found, Is.EqualTo(expected));
    }

    [Test]
    public void A_step_reads_every_weight_and_the_state()
    {
        // Sizes that fill whole panels; tied, so that the embedding is the head.
        MambaConfig config = new() { DModel = 256, NLayer = 3, VocabSize = 512 };
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 1), 1);
        Assert.That(executor.StepBytes, Is.EqualTo((config.ParameterCount * sizeof(float)) + executor.CreateState().ByteLength));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void A_model_that_was_taken_over_is_not_taken_again(int threads)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 64, NLayer = 2, VocabSize = 256 }, 1);
        using (CpuExecutor.TakeOver(model, threads))
        {
            Assert.That(() => CpuExecutor.TakeOver(model, threads), Throws.TypeOf<ObjectDisposedException>());
        }
    }
}
