using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>--device</c>: what a model runs on.</summary>
internal static class DeviceOption
{
    /// <summary>The cores of this machine, by this library's own code.</summary>
    public const string Processor = "cpu";

    private const string Any = "auto";
    private const string Emulation = "cpu-accelerator";

    private static readonly string[] indexed = ["cuda", "opencl"];

    /// <summary>The option, and a check that <c>--threads</c> comes with the processor only.</summary>
    /// <param name="command">The command that has it.</param>
    /// <param name="threads">Its threads.</param>
    public static Option<string> AddTo(Command command, Option<int> threads)
    {
        Option<string> device = new("--device")
        {
            Description = $"What runs the model: {Processor}; cuda or opencl, with :N for the N-th; {Emulation}, for tests; or {Any}, a GPU where there is one and else {Processor}.",
            DefaultValueFactory = _ => Processor,
        };
        device.Validators.Add(result =>
        {
            string value = result.Tokens is [{ Value: string given }] ? given : Processor;
            if (!IsKnown(value))
            {
                result.AddError($"--device: expected {Processor}, cuda, cuda:N, opencl, opencl:N, {Emulation} or {Any}, found '{value}'");
            }
        });
        command.Options.Add(device);
        command.Validators.Add(result =>
        {
            if (result.GetResult(threads) is { Implicit: false } && result.GetResult(device) is { Implicit: false } found && found.Tokens is [{ Value: not (Processor or Any) }])
            {
                result.AddError($"expected --threads with --device {Processor}, found it with another device");
            }
        });
        return device;
    }

    /// <summary>Prepares a model on the device that was asked for.</summary>
    /// <param name="parsed">The arguments.</param>
    /// <param name="device">The option.</param>
    /// <param name="threads">Threads of the processor.</param>
    /// <param name="model">The weights; the processor frees them while it packs them.</param>
    public static IMambaExecutor CreateExecutor(ParseResult parsed, Option<string> device, int threads, MambaLanguageModel model) =>
        TryElsewhere(parsed, device, (provider, selector) => provider.CreateExecutor(model, selector)) ?? CpuExecutor.TakeOver(model, threads);

    /// <summary>Whether the processor was asked for, which needs no plugin.</summary>
    public static bool IsProcessor(ParseResult parsed, Option<string> device) => parsed.GetValue(device) == Processor;

    /// <summary>Makes something on another device; null where the processor is asked for, or any device and there is no other.</summary>
    /// <param name="parsed">The arguments.</param>
    /// <param name="device">The option.</param>
    /// <param name="create">Gets the provider of devices, and what selects one.</param>
    public static T? TryElsewhere<T>(ParseResult parsed, Option<string> device, Func<ITrainingDeviceProvider, string, T> create)
        where T : class
    {
        string selector = parsed.GetValue(device)!;
        if (selector == Processor)
        {
            return null;
        }

        try
        {
            return create(DevicePlugin.Load(), selector);
        }
#pragma warning disable CA1031 // Which exceptions a plugin has for a device that is not there is its own affair.
        catch (Exception error) when (selector == Any && error is not OutOfMemoryException)
#pragma warning restore CA1031
        {
            parsed.InvocationConfiguration.Error.WriteLine($"mamba: --device {Any}: runs on the processor: {Terminal.Line(error.Message)}");
            return null;
        }
    }

    private static bool IsKnown(string value)
    {
        string[] parts = value.Split(':', 2);
        return value is Processor or Any or Emulation || (indexed.Contains(parts[0]) && (parts.Length == 1 || int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out _)));
    }
}
