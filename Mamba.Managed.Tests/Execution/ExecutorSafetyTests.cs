using System.Diagnostics;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Execution;

/// <summary>Nothing that safe code does to an executor, from any thread, hangs, leaks or touches memory that is not its own.</summary>
public class ExecutorSafetyTests
{
    private static readonly MambaConfig Config = new() { DModel = 24, NLayer = 2, VocabSize = 40 };

    public static IEnumerable<string> Cases => ExecutorChild.Cases.Keys;

    [TestCaseSource(nameof(Cases))]
    public void In_a_process_of_its_own(string name)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])[typeof(ExecutorChild).Assembly.Location, "executor", name])
        {
            start.ArgumentList.Add(argument);
        }

        using Process child = Process.Start(start)!;
        Task<string> output = child.StandardOutput.ReadToEndAsync(), error = child.StandardError.ReadToEndAsync();
        bool ended = child.WaitForExit(TimeSpan.FromMinutes(2));
        if (!ended)
        {
            child.Kill(entireProcessTree: true);
        }

        Assert.That((ended, output.Result + error.Result), Is.EqualTo((true, "")));
        Assert.That(child.ExitCode, Is.Zero);
    }

    [Test]
    public void A_half_advanced_state_says_so_until_it_is_given_another_content()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        using CpuState state = executor.CreateState(), other = executor.CreateState();
        float[] logits = new float[40], values = new float[state.Layout.Length(0)];
        Action[] remedies = [state.Clear, () => state.CopyFrom(other), () => state.Import(values, 3)];
        foreach (Action remedy in remedies)
        {
            state.Tear();
            Assert.Multiple(() =>
            {
                Assert.That(() => executor.Prefill([1], state, logits), Refused());
                Assert.That(() => executor.Prefill(new int[50], state, logits), Refused());
                Assert.That(() => executor.Step([1, 2], [other, state], new float[80]), Refused());
                Assert.That(() => state.Export(values), Refused());
                Assert.That(() => other.CopyFrom(state), Refused());
                Assert.That(() => state.Save(Stream.Null, executor.Fingerprint), Refused());
                Assert.That(other.Position, Is.Zero);
            });
            remedy();
            executor.Prefill([1], state, logits);
        }

        static NUnit.Framework.Constraints.IResolveConstraint Refused() => Throws.InvalidOperationException.With.Message.Contains("clear it");
    }

    [Test]
    public void A_layer_by_layer_pass_that_is_refused_leaves_the_state_as_it_was()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using CpuState state = new(Config);
        model.Forward([1, 2], state, new float[80]);
        float[] before = new float[state.Layout.Length(0)], after = new float[before.Length];
        state.Export(before);
        Assert.That(() => model.Forward([1, 300], state, new float[80]), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => model.Forward([1, 2], state, new float[79]), Throws.InstanceOf<ArgumentException>());
        state.Export(after);
        Assert.That((state.Position, after), Is.EqualTo((2L, before)));
        state.Dispose();
        Assert.That(() => model.Forward([1], state, new float[40]), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void A_layers_state_comes_and_goes_by_copies()
    {
        SelectiveStateSpaceModel mixer = MambaLanguageModel.Create(Config, 1).Layers[0].Mixer;
        using MixerState state = mixer.CreateState(), copy = mixer.CreateState();
        float[] x = [.. Enumerable.Range(0, 5 * 24).Select(i => MathF.Sin(i))], y = new float[x.Length], expected = new float[x.Length];
        mixer.Forward(Rows.Of(x, 24), state, Rows.Of(y, 24));
        float[] conv = new float[state.ConvLength * state.Channels], ssm = new float[state.States * state.Channels];
        state.Export(conv, ssm);
        copy.Import(conv, ssm);
        mixer.Forward(Rows.Of(x, 24), state, Rows.Of(expected, 24));
        mixer.Forward(Rows.Of(x, 24), copy, Rows.Of(y, 24));
        Assert.That(y, Is.EqualTo(expected));
        Assert.That(() => state.Export(conv, conv), Throws.ArgumentException);
        Assert.That(() => state.Import(ssm, ssm), Throws.ArgumentException);
        state.Dispose();
        Assert.That(() => state.Export(conv, ssm), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => mixer.Forward(Rows.Of(x, 24), state, Rows.Of(y, 24)), Throws.TypeOf<ObjectDisposedException>());
    }

    [TestCase(typeof(SequenceState))]
    [TestCase(typeof(CpuState))]
    [TestCase(typeof(MixerState))]
    [TestCase(typeof(CpuExecutor))]
    public void No_public_member_gives_memory_that_may_outlive_its_owner(Type type)
    {
        IEnumerable<Type> given = [.. type.GetProperties().Select(p => p.PropertyType), .. type.GetMethods().Select(m => m.ReturnType)];
        Assert.That(given, Has.None.Matches<Type>(t => t!.IsByRefLike || t.IsPointer || t.Name.StartsWith("Memory", StringComparison.Ordinal)));
    }
}
